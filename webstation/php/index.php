<?php
// A way in for web servers that start no CGI program but have PHP, 7.4 or newer: hands each request to
// remotetask-cgi and its answer back. It judges nothing and holds no secret.
try {
    // Nothing that PHP is set to add or to say reaches a caller.
    ini_set('display_errors', '0');
    while (@ob_end_clean());
    header_remove();
    // The variables that src/request reads, and nothing else.
    $variables = ['REQUEST_METHOD', 'QUERY_STRING', 'REMOTE_ADDR', 'REDIRECT_STATUS', 'CONTENT_LENGTH', 'CONTENT_TYPE',
        'HTTP_TRANSFER_ENCODING', 'HTTP_ACCEPT', 'HTTP_ACCEPT_LANGUAGE', 'HTTP_USER_AGENT', 'HTTP_X_MAGIC_KEY', 'HTTP_X_TASK_KEY',
        'HTTP_X_REAL_IP', 'HTTP_X_FORWARDED_FOR', 'HTTP_SEC_FETCH_SITE', 'HTTP_SEC_FETCH_DEST', 'HTTP_SEC_FETCH_MODE',
        'HTTP_SEC_PURPOSE', 'HTTP_PURPOSE', 'HTTP_X_PURPOSE', 'HTTP_X_MOZ'];
    $environment = array_intersect_key($_SERVER, array_flip($variables));
    // The path as it was sent, decoded once. Not PHP's PATH_INFO: each server makes that up differently,
    // or not at all, and php-fpm looks for files in it. A variable would end at a NUL.
    $uri = preg_replace('~^https?://[^/?]*~i', '', $_SERVER['REQUEST_URI']);
    $environment['PATH_INFO'] = strtr(rawurldecode(explode('?', $uri, 2)[0]), "\0", "\xff");
    // A larger body is not waited for: the program is told that the server has refused it.
    $length = max(0, (int) ($_SERVER['CONTENT_LENGTH'] ?? 0));
    if ($length > 1 << 20) {
        $environment['REDIRECT_STATUS'] = '413';
        $length = 0;
    }
    // Beside the length that was told, so that the program sees a body that broke off.
    $body = file_get_contents('php://input', false, null, 0, $length);
    // A list, not a line: no shell. Its stderr is php-fpm's.
    $pipes = [];
    $program = '/usr/local/remotetask/remotetask-cgi';
    $process = proc_open([$program], [['pipe', 'r'], ['pipe', 'w']], $pipes, '/', $environment);
    @fwrite($pipes[0], $body);
    fclose($pipes[0]);
    $answer = explode("\r\n\r\n", stream_get_contents($pipes[1]), 2);
    if (count($answer) != 2) {
        throw new Exception('no answer from remotetask-cgi');
    }
    foreach (explode("\r\n", $answer[0]) as $line) {
        sscanf($line, 'Status: %d', $status) == 1 ? http_response_code($status) : header($line);
    }
    echo $answer[1];
} catch (Throwable $e) {
    // The same for everybody; the owner finds the cause in PHP's error log.
    error_log('remotetask: ' . $e->getMessage());
    http_response_code(404);
}
