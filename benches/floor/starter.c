/* What root does in that floor: starts /bin/true and waits for it. */
#include <spawn.h>
#include <sys/wait.h>

int main(void)
{
    char *argv[] = {"/bin/true", 0}, *none[] = {0};
    pid_t pid;
    int status;
    return posix_spawn(&pid, argv[0], 0, 0, argv, none) || waitpid(pid, &status, 0) < 0 || status;
}
