/* old-kernel COMMAND [ARG ...]: runs COMMAND without the system calls that are newer than Linux 3.10, the
   oldest kernel of DSM 7. Each fails with ENOSYS, for 32-bit programs too; so does with EINVAL what fcntl(2)
   has learned since. It holds for all that COMMAND starts. Whatever else old calls have learned (flags, clocks,
   sockets) and files in /proc are not taken away. x86_64 alone.

   old-kernel --probe </etc/passwd: 0 if it is so. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* finit_module(2) of Linux 3.8 is the last call that 3.10 has; numbers only grow. */
#define LAST 313
#define LAST_32 350
#if defined __x86_64__
_Static_assert(SYS_finit_module == LAST, "the last one");
#elif defined __i386__
_Static_assert(SYS_finit_module == LAST_32, "the last one");
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(how, value, then, otherwise) BPF_JUMP(BPF_JMP | how | BPF_K, value, then, otherwise)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

static int filter(void)
{
    struct sock_filter rules[] = {
        LOAD(arch),
        IF(BPF_JEQ, AUDIT_ARCH_I386, 4, 0),
        LOAD(nr),
        IF(BPF_JGT, LAST, 9, 0),
        IF(BPF_JEQ, 72, 4, 0), /* fcntl */
        RETURN(SECCOMP_RET_ALLOW),
        LOAD(nr), /* 32 bits */
        IF(BPF_JGT, LAST_32, 5, 0),
        IF(BPF_JEQ, 221, 0, 3), /* fcntl64 */
        LOAD(args[1]), /* the command: its lower half stands first */
        IF(BPF_JGT, F_OFD_SETLKW, 1, 0),
        IF(BPF_JGE, F_OFD_GETLK, 2, 0), /* 3.15 */
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        RETURN(SECCOMP_RET_ERRNO | EINVAL),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    /* root needs not promise this, so that sudo(8) works inside. */
    if (geteuid() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int without(long returned, int error)
{
    return returned == -1 && errno == error;
}

static int probe(void)
{
    static const int newer[] = {
        SYS_getrandom, SYS_memfd_create, SYS_statx, SYS_clone3, SYS_close_range, SYS_openat2, SYS_faccessat2,
#ifdef __i386__
        SYS_clock_gettime64, SYS_utimensat_time64, SYS_socket,
#endif
    };
    struct flock lock = {.l_type = F_RDLCK};
    struct stat stat;
    int passes = fstatat(AT_FDCWD, "/", &stat, 0) == 0 && fcntl(0, F_GETLK, &lock) == 0;
    for (size_t at = 0; at < sizeof newer / sizeof *newer; at++)
        passes &= without(syscall(newer[at], -1, 0, 0, 0, 0, 0), ENOSYS);
    passes &= without(fcntl(0, F_OFD_GETLK, &lock), EINVAL);
    return !passes;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--probe"))
        return probe();
    if (argc < 2)
        return 2;
    if (filter()) {
        perror("old-kernel: seccomp");
        return 125;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
