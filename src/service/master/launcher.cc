#include "service/master/launcher.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "runtime/seccomp_filter.h"

namespace sternpost {
namespace {

constexpr int kControlDescriptor = 3;
constexpr int kExecFailed = 127;
/// A full piece with its envelope, a few times over; the kernel may grant less.
constexpr int kChannelBuffer = 4 << 20;

/// In the child: only calls that are safe between fork and exec.
[[noreturn]] void become(const char* program, const char* name, int root, bool leave_root, int control,
                         const StandardStreams& streams) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (leave_root && (::fchdir(root) != 0 || ::chroot(".") != 0)) ::_exit(kExecFailed);
  if (::chdir("/") != 0) ::_exit(kExecFailed);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) {
    if (::dup2(streams.nothing.get(), fd) < 0) ::_exit(kExecFailed);
  }
  if (::dup2(streams.complaints.get(), STDERR_FILENO) < 0) ::_exit(kExecFailed);
  if (control == kControlDescriptor) {
    ::fcntl(control, F_SETFD, 0);
  } else if (::dup2(control, kControlDescriptor) < 0) {
    ::_exit(kExecFailed);
  }
  ::close_range(kControlDescriptor + 1, ~0U, 0);
  const std::array<char*, 2> arguments = {const_cast<char*>(name), nullptr};
  const std::array<char*, 1> environment = {nullptr};
  ::execve(program, arguments.data(), environment.data());
  ::_exit(kExecFailed);
}

/// The error output for compartments: for writing alone, and a file of their own, where that can be.
UniqueFd open_complaints() {
  // Without waiting for whoever reads a pipe.
  UniqueFd fd(::open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (fd && ::fcntl(fd.get(), F_SETFL, O_APPEND) == 0) return fd;
  // A socket, as the journal gives, cannot be opened anew.
  return UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
}

void enlarge_buffers(int fd) {
  // Without root the system's limit applies; a smaller buffer costs wake-ups and nothing else.
  for (const int option : {SO_SNDBUF, SO_SNDBUFFORCE}) {
    ::setsockopt(fd, SOL_SOCKET, option, &kChannelBuffer, sizeof(kChannelBuffer));
  }
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return fail_errno("making a channel");
  }
  enlarge_buffers(ends[0]);
  enlarge_buffers(ends[1]);
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<Launcher> Launcher::make(std::string programs) {
  Launcher launcher;
  launcher.programs_ = std::move(programs);
  launcher.root_.reset(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!launcher.root_) return fail_errno("opening /");
  auto& streams = launcher.streams_;
  streams.nothing.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!streams.nothing) return fail_errno("opening /dev/null");
  streams.complaints = open_complaints();
  if (!streams.complaints) return fail_errno("opening the error output");
  return launcher;
}

Result<void> Launcher::confine_master(int empty_root, bool as_root) {
  if (as_root) {
    if (::fchdir(empty_root) != 0 || ::chroot(".") != 0)
      return fail_errno("entering the empty root directory");
    confined_root_ = true;
  }
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("forbidding dumps");
  // A filter needs no_new_privs, or CAP_SYS_ADMIN, which root in a container often lacks.
  if (as_root && apply_seccomp_of_master()) return {};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("setting no_new_privs");
  return apply_seccomp_of_master();
}

Result<Launched> Launcher::launch(Compartment row) const {
  auto pair = make_channel_pair();
  if (!pair) return fail_with(std::move(pair));
  const auto name = std::string(to_string(row));
  const auto program = programs_ + "/" + name;
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("starting " + name);
  if (pid == 0) {
    become(program.c_str(), name.c_str(), root_.get(), confined_root_, pair->second.get(), streams_);
  }
  Launched launched{pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
                    std::move(pair->first)};
  if (!launched.pid_descriptor) {
    const auto failed = fail_errno("watching " + name);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return failed;
  }
  return launched;
}

Result<UniqueFd> Launcher::connect_socket(const std::string& path) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Taken from the real root, which is the working directory meanwhile: nothing else runs in this process.
  const auto from_root = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  if (!path.starts_with('/') || from_root.empty()) {
    return fail(ErrorClass::permanent, path + " is not the path of a socket");
  }
  if (from_root.size() >= sizeof(address.sun_path)) {
    return fail(ErrorClass::permanent, path + " is too long for a socket");
  }
  from_root.copy(address.sun_path, sizeof(address.sun_path) - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("opening a socket");
  const UniqueFd before(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!before || ::fchdir(root_.get()) != 0) return fail_errno("entering the root directory");
  const int done = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  if (::fchdir(before.get()) != 0) return fail_errno("leaving the root directory");
  if (done != 0) return fail_errno("connecting to " + path, error);
  return fd;
}

Result<UniqueFd> Launcher::open_file(const std::string& path) const {
  const auto relative = path.substr(path.find_first_not_of('/'));
  UniqueFd fd(::openat(root_.get(), relative.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return fail_errno("opening " + path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("examining " + path);
  if (!S_ISREG(status.st_mode)) return fail(ErrorClass::permanent, path + " is no regular file");
  return fd;
}

}  // namespace sternpost
