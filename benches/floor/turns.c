/* turns N A B: runs the programs A and B in turn, N times each, with this environment and without
   input or output; prints a line "microseconds of A, of B, A's peak memory in KiB" a turn.
   Static and small itself, because a child's peak memory counts its parent's before exec(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long once(const char *program, long *peak)
{
    struct timespec begin, end;
    struct rusage usage;
    char *argv[] = {(char *)program, 0};
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (posix_spawn(&pid, program, &files, 0, argv, environ) || wait4(pid, &status, 0, &usage) < 0 || status)
        exit(1);
    clock_gettime(CLOCK_MONOTONIC, &end);
    *peak = usage.ru_maxrss;
    return (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
}

int main(int argc, char **argv)
{
    long peak, other;
    if (argc != 4)
        return 2;
    for (int turn = atoi(argv[1]); turn > 0; turn--) {
        long a = once(argv[2], &peak);
        long b = once(argv[3], &other);
        printf("%ld %ld %ld\n", a, b, peak);
    }
    return 0;
}
