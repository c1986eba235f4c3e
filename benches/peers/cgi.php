#!/usr/bin/php
<?php
// The same job as a CGI in PHP: judges two keys by their digests, writes a log line, starts the task by sudo.
$floor = '/usr/local/remotetask-floor';
$digests = json_decode(file_get_contents("$floor/digests.json"));
$keys = explode('/', ltrim(getenv('PATH_INFO') ?: '/', '/'));
$ran = false;
if (count($keys) === 2 && hash_equals($digests[0], hash('sha256', $keys[0])) && hash_equals($digests[1], hash('sha256', $keys[1]))) {
    exec("sudo -n $floor/starter", $output, $code);
    $ran = $code === 0;
}
$line = date('Y-m-d H:i:s') . ($ran ? ' finished' : ' refused') . ' from=' . getenv('REMOTE_ADDR') . "\n";
file_put_contents("$floor/log-php", $line, FILE_APPEND);
echo $ran ? "Status: 200 OK\r\n" : "Status: 404 Not Found\r\n", "Content-Type: text/plain\r\n\r\n", $ran ? "Task finished\n" : "no\n";
