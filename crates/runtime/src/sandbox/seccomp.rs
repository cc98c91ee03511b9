//! The system calls that a worker may make. What is not listed is answered as unknown, which is
//! what programs fall back from. Node and what it starts need no others.

use std::collections::BTreeMap;

use libc::{
    AF_INET, AF_INET6, AF_UNIX, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
    CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, CLONE_THREAD, SOCK_STREAM,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// How far the kernel's other means go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// Namespaces of its own: signals, processes and sockets end there.
    Namespaces,
    /// None. The process with this id may signal only itself and start no other. It opens no socket
    /// and connects none: it has the one that it was started with, and pairs of its own.
    Nothing { pid: u32 },
}

/// The kind of a socket, without the flags beside it.
const SOCKET_KIND: i32 = 0xf;
const NAMESPACES: i32 = CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET;

macro_rules! calls {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}

/// Allowed whatever their arguments.
#[rustfmt::skip]
const ALWAYS: &[libc::c_long] = calls![
    SYS_accept SYS_accept4 SYS_bind SYS_brk SYS_capget SYS_chdir SYS_clock_getres
    SYS_clock_gettime SYS_clock_nanosleep SYS_close
    SYS_close_range SYS_copy_file_range SYS_dup SYS_dup3
    SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_execve
    SYS_execveat SYS_exit SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64
    SYS_fallocate SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fcntl SYS_fdatasync SYS_flock SYS_fstat
    SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_getcpu SYS_getcwd
    SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups SYS_getitimer SYS_getpeername
    SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid SYS_getresuid
    SYS_getrlimit SYS_getrusage SYS_getsid SYS_getsockname SYS_getsockopt SYS_gettid
    SYS_gettimeofday SYS_getuid SYS_getxattr SYS_inotify_add_watch SYS_inotify_init1
    SYS_inotify_rm_watch SYS_ioctl SYS_ioprio_get SYS_lgetxattr SYS_linkat SYS_listen
    SYS_lseek SYS_madvise SYS_membarrier SYS_memfd_create SYS_mincore SYS_mkdirat SYS_mlock
    SYS_mlock2 SYS_mmap SYS_mprotect SYS_mremap SYS_msync SYS_munlock SYS_munmap SYS_nanosleep
    SYS_newfstatat SYS_openat SYS_openat2 SYS_pipe2 SYS_pkey_alloc SYS_pkey_free
    SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64
    SYS_pselect6 SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat
    SYS_readv SYS_recvfrom SYS_recvmmsg SYS_recvmsg SYS_renameat SYS_renameat2
    SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask
    SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait SYS_sched_get_priority_max
    SYS_sched_get_priority_min SYS_sched_getaffinity SYS_sched_getattr SYS_sched_getparam
    SYS_sched_getscheduler SYS_sched_setaffinity SYS_sched_yield SYS_sendfile SYS_sendmmsg
    SYS_sendmsg SYS_set_robust_list SYS_get_robust_list SYS_set_tid_address
    SYS_setitimer SYS_setpgid SYS_setsid SYS_setsockopt SYS_shutdown SYS_sigaltstack
    SYS_statfs SYS_statx SYS_symlinkat SYS_sync_file_range SYS_sysinfo
    SYS_timer_create SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime
    SYS_timerfd_create SYS_timerfd_gettime SYS_timerfd_settime SYS_times SYS_truncate
    SYS_umask SYS_uname SYS_unlinkat SYS_utimensat SYS_wait4 SYS_waitid SYS_write SYS_writev
];

/// The older names of some of them.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[libc::c_long] = calls![
    SYS_access SYS_arch_prctl SYS_chmod SYS_creat SYS_dup2 SYS_epoll_create SYS_epoll_wait
    SYS_eventfd SYS_getdents SYS_getpgrp SYS_inotify_init
    SYS_link SYS_lstat SYS_mkdir SYS_open SYS_pause
    SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_rmdir SYS_select SYS_stat SYS_symlink SYS_time
    SYS_unlink SYS_utime SYS_utimes SYS_alarm
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[libc::c_long] = &[];

/// Only where nobody else is in reach.
const AMONG_ITS_OWN: &[libc::c_long] = calls![
    SYS_connect SYS_kill SYS_tgkill SYS_tkill SYS_pidfd_open SYS_pidfd_send_signal
    SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_sendto SYS_socketpair
];

/// The filter as the kernel takes it.
pub(crate) fn program(around: Around) -> Result<BpfProgram, String> {
    build(around).map_err(|it| it.to_string())
}

/// The same as the bytes of `struct sock_filter`, for bubblewrap.
pub(crate) fn bytes(around: Around) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for it in program(around)? {
        bytes.extend(it.code.to_ne_bytes());
        bytes.extend([it.jt, it.jf]);
        bytes.extend(it.k.to_ne_bytes());
    }
    Ok(bytes)
}

fn build(around: Around) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in ALWAYS.iter().chain(OLDER) {
        rules.insert(*call, Vec::new());
    }
    match around {
        Around::Namespaces => {
            rules.extend(AMONG_ITS_OWN.iter().map(|call| (*call, Vec::new())));
            #[cfg(target_arch = "x86_64")]
            rules.extend([(libc::SYS_fork, Vec::new()), (libc::SYS_vfork, Vec::new())]);
            let families = [AF_UNIX, AF_INET, AF_INET6].map(|it| is(0, it.unsigned_abs().into()));
            rules.insert(libc::SYS_socket, families.into_iter().collect::<Result<_, _>>()?);
            rules.insert(libc::SYS_clone, vec![masked_at(0, NAMESPACES, 0)?]);
        }
        Around::Nothing { pid } => {
            // A pair that is no stream could be sent from to any path.
            let streams = vec![masked_at(1, SOCKET_KIND, SOCK_STREAM)?];
            rules.insert(libc::SYS_socketpair, streams);
            rules.insert(libc::SYS_sendto, vec![nowhere(4)?]);
            rules.insert(libc::SYS_kill, vec![is(0, pid.into())?]);
            rules.insert(libc::SYS_tgkill, vec![is(0, pid.into())?]);
            let thread = masked_at(0, NAMESPACES | CLONE_THREAD, CLONE_THREAD)?;
            rules.insert(libc::SYS_clone, vec![thread]);
        }
    }
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, unknown, SeccompAction::Allow, arch)?.try_into()
}

fn is(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let equal = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
    SeccompRule::new(vec![equal])
}

/// The argument is a null pointer.
fn nowhere(argument: u8) -> Result<SeccompRule, seccompiler::BackendError> {
    let null = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    SeccompRule::new(vec![null])
}

/// Of the flags in the mask exactly those of `value` are set.
fn masked_at(
    argument: u8,
    mask: i32,
    value: i32,
) -> Result<SeccompRule, seccompiler::BackendError> {
    let (mask, value) = (u64::from(mask.unsigned_abs()), u64::from(value.unsigned_abs()));
    let compare = SeccompCmpOp::MaskedEq(mask);
    let flags = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)?;
    SeccompRule::new(vec![flags])
}
