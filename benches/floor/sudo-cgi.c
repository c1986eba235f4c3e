/* The floor of an accepted request: a CGI that runs sudo on a program that only starts /bin/true. */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    static const char answer[] = "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";
    char *argv[] = {"/usr/bin/sudo", "-n", "/usr/local/remotetask-floor/starter", 0}, *none[] = {0};
    pid_t pid;
    int status;
    if (posix_spawn(&pid, argv[0], 0, 0, argv, none) || waitpid(pid, &status, 0) < 0 || status)
        return 1;
    return write(1, answer, sizeof answer - 1) < 0;
}
