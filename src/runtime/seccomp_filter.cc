#include "runtime/seccomp_filter.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>

namespace sternpost {
namespace {

using Calls = std::span<const int>;

/// What every compartment needs: its memory, time, the descriptors it holds, and to end.
constexpr auto kBase = std::to_array<int>({
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(futex),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sysinfo),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
});

constexpr auto kAccept = std::to_array<int>({SCMP_SYS(accept4)});

constexpr auto kReadFiles = std::to_array<int>({
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(getdents64),
    SCMP_SYS(fstatfs),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlinkat),
});

constexpr auto kWriteFiles = std::to_array<int>({
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev2),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(syncfs),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdirat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fadvise64),
    SCMP_SYS(sync_file_range),
});

constexpr auto kMemfd = std::to_array<int>({SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(pwrite64)});

constexpr auto kNameService = std::to_array<int>({
    SCMP_SYS(open),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(access),
    SCMP_SYS(readlink),
    SCMP_SYS(uname),
});

/// What the runtime of AddressSanitizer and UBSan calls besides, to look at limits and at memory.
constexpr auto kSanitizerCalls =
    std::to_array<int>({SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(prlimit64), SCMP_SYS(sched_getaffinity)});

/// Denied to master and so to all: what nothing in a mail server has a use for.
constexpr auto kNever = std::to_array<int>({
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(quotactl),
    SCMP_SYS(acct),
    SCMP_SYS(syslog),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
});

Calls calls_of(SyscallSet set) {
  switch (set) {
    case SyscallSet::accept:
      return kAccept;
    case SyscallSet::read_files:
      return kReadFiles;
    case SyscallSet::write_files:
      return kWriteFiles;
    case SyscallSet::memfd:
      return kMemfd;
    case SyscallSet::name_service:
      return kNameService;
    case SyscallSet::datagrams:  // conditions alone, in add_sockets
    case SyscallSet::threads:    // the same, in add_threads
      break;
  }
  return {};
}

class Filter {
 public:
  explicit Filter(std::uint32_t default_action) : context_(seccomp_init(default_action), &seccomp_release) {}

  void add(std::uint32_t action, Calls calls) {
    for (const int call : calls) add(action, call, {});
  }
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions) {
    if (failed_ != 0 || !context_) return;
    failed_ = seccomp_rule_add_array(context_.get(), action, call, static_cast<unsigned>(conditions.size()),
                                     conditions.begin());
    if (failed_ == -EEXIST) failed_ = 0;
  }
  /// no_new_privs is set, or not, by the caller: libseccomp must not set it behind master's back.
  Result<void> load() {
    if (!context_) return fail(ErrorClass::internal, "libseccomp has no memory");
    if (failed_ == 0) failed_ = seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_NNP, 0);
    if (failed_ == 0) failed_ = seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (failed_ == 0) failed_ = seccomp_load(context_.get());
    if (failed_ != 0) return fail_errno("installing the seccomp filter", -failed_);
    return {};
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int failed_ = 0;
};

constexpr scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
constexpr scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}

/// Calls that are allowed with certain arguments only.
void add_conditional(Filter& filter) {
  // Nothing becomes executable once the libraries are loaded.
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)});
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
  // On what is connected already: no address, and no connection on the way (TCP Fast Open connects without
  // connect(), a listening socket too once it is shut down).
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(sendto), {masked(3, MSG_FASTOPEN, 0), equal(4, 0)});
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), {masked(2, MSG_FASTOPEN, 0)});
  // fstat(fd): glibc asks with an empty path. With another one it tells of a file's size, owner and times,
  // where the root directory holds such a file; the filter cannot see which it is.
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), {masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
  // Asio makes descriptors non-blocking so.
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), {equal(1, FIONBIO)});
  // abort() signals itself.
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), {equal(0, static_cast<std::uint64_t>(::getpid()))});
}

/// Bits of socket()'s type that are flags.
constexpr std::uint64_t kTypeOnly = 0xf;

/// Allows sockets of a family and type with its usual protocol alone, which 0 stands for too. Landlock's
/// ports are those of TCP: a stream of MPTCP or SCTP would pass them by.
void add_socket(Filter& filter, std::uint16_t family, std::uint64_t type, std::uint64_t protocol) {
  for (const std::uint64_t one : {std::uint64_t{0}, protocol}) {
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(socket),
               {equal(0, family), masked(1, kTypeOnly, type), equal(2, one)});
  }
}

/// What a row with families may do with sockets of its own.
void add_sockets(Filter& filter, const Confinement& confinement) {
  const bool datagrams =
      std::ranges::find(confinement.calls, SyscallSet::datagrams) != confinement.calls.end();
  for (const auto family : confinement.socket_families) {
    add_socket(filter, family, SOCK_STREAM, IPPROTO_TCP);
    if (datagrams) add_socket(filter, family, SOCK_DGRAM, IPPROTO_UDP);
  }
  if (confinement.socket_families.empty()) return;
  for (const int call : {SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(setsockopt)})
    filter.add(SCMP_ACT_ALLOW, call, {});
  // TCP Fast Open would pass by connect(), which Landlock holds to its ports. Debian's libunbound begins
  // every TCP connection with it; this is what the kernel says where it is switched off, and then libunbound
  // connects. At EPERM it gives up.
  filter.add(SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(sendmsg), {masked(2, MSG_FASTOPEN, MSG_FASTOPEN)});
}

/// The flags of clone3 are in memory, where a filter does not see them: told that it is not there, glibc
/// falls back to clone.
void add_threads(Filter& filter, const Confinement& confinement) {
  if (std::ranges::find(confinement.calls, SyscallSet::threads) == confinement.calls.end()) return;
  constexpr std::uint64_t kThread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS;
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), {masked(0, kThread, kThread)});
  filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), {});
}

}  // namespace

Result<void> apply_seccomp(const Confinement& confinement) {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  filter.add(SCMP_ACT_ALLOW, kBase);
  add_conditional(filter);
  if constexpr (STERNPOST_SANITIZED) filter.add(SCMP_ACT_ALLOW, kSanitizerCalls);
  for (const auto set : confinement.calls) filter.add(SCMP_ACT_ALLOW, calls_of(set));
  add_sockets(filter, confinement);
  add_threads(filter, confinement);
  if (std::ranges::find(confinement.calls, SyscallSet::accept) != confinement.calls.end()) {
    // The end of what we say to a client; never of a listening socket that others share.
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(shutdown), {equal(1, SHUT_WR)});
  }
  return filter.load();
}

Result<void> apply_seccomp_of_master() {
  Filter filter(SCMP_ACT_ALLOW);
  filter.add(SCMP_ACT_ERRNO(EPERM), kNever);
  return filter.load();
}

}  // namespace sternpost
