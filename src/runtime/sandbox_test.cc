// Each test confines a child, which then tries what its confinement forbids and answers by its exit status.
#include "runtime/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"
#include "runtime/landlock.h"

namespace sternpost {
namespace {

/// The exit status of a child that confines itself and then runs `attempt`; 100 where it could not be
/// confined.
int confined(const Confinement& confinement, const std::vector<int>& folders,
             const std::function<int()>& attempt) {
  const UniqueFd root(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto layers = confine(confinement, {root.get(), folders});
    ::_exit(layers ? attempt() : 100);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    char name[] = "/tmp/sternpost-test-XXXXXX";
    folder_ = ::mkdtemp(name);
    descriptor_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd file(::open((folder_ + "/file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Confinement base() {
    Confinement confinement;
    confinement.max_descriptors = 64;
    return confinement;
  }
  Confinement with_folder(FolderRight right, std::vector<SyscallSet> calls) {
    auto confinement = base();
    confinement.folders = {{"folder", right}};
    confinement.calls = std::move(calls);
    return confinement;
  }

  std::string folder_;
  UniqueFd descriptor_;
};

TEST_F(SandboxTest, without_rights_no_file_socket_or_process_can_be_had) {
  EXPECT_EQ(confined(base(), {},
                     [] {
                       if (::open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) return 1;
                       if (::socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 2;
                       if (::fork() >= 0 || errno != EPERM) return 3;
                       const char* const none[] = {nullptr};
                       if (::execve("/bin/true", const_cast<char**>(none), const_cast<char**>(none)) == 0)
                         return 4;
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, with_the_right_to_threads_there_are_threads_and_no_processes) {
  auto confinement = base();
  confinement.calls = {SyscallSet::threads};
  EXPECT_EQ(confined(confinement, {},
                     [] {
                       bool ran = false;
                       std::thread([&ran] {
                         ran = ::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM;
                       }).join();
                       if (!ran) return 1;
                       if (::fork() >= 0 || errno != EPERM) return 2;
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, without_the_right_to_threads_there_are_none) {
  EXPECT_EQ(confined(base(), {},
                     [] {
                       try {
                         std::thread([] {}).join();
                       } catch (const std::system_error&) {
                         return 0;
                       }
                       return 1;
                     }),
            0);
}

/// A TCP socket that listens on loopback.
UniqueFd listening() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  return fd;
}

TEST_F(SandboxTest, a_listening_socket_cannot_be_ended_for_all_or_made_to_connect) {
  const auto listener = listening();
  EXPECT_EQ(confined(base(), {},
                     [fd = listener.get()] {
                       for (const int how : {SHUT_RD, SHUT_RDWR}) {
                         if (::shutdown(fd, how) == 0 || errno != EPERM) return 1;
                       }
                       sockaddr_in address{};
                       address.sin_family = AF_INET;
                       const auto* to = reinterpret_cast<const sockaddr*>(&address);
                       if (::sendto(fd, "x", 1, MSG_FASTOPEN, to, sizeof(address)) >= 0 || errno != EPERM)
                         return 2;
                       if (::sendto(fd, "x", 1, 0, to, sizeof(address)) >= 0 || errno != EPERM) return 3;
                       msghdr message{};
                       message.msg_name = &address;
                       message.msg_namelen = sizeof(address);
                       if (::sendmsg(fd, &message, MSG_FASTOPEN) >= 0 || errno != EPERM) return 4;
                       const int on = 1;
                       if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) return 5;
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, what_is_connected_is_written_to_and_ended_on_our_side) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd mine(ends[0]), theirs(ends[1]);
  auto server = base();
  server.calls.push_back(SyscallSet::accept);
  EXPECT_EQ(confined(server, {},
                     [fd = ends[0]] {
                       if (::send(fd, "x", 1, MSG_NOSIGNAL) != 1) return 1;
                       iovec piece{const_cast<char*>("y"), 1};
                       msghdr message{};
                       message.msg_iov = &piece;
                       message.msg_iovlen = 1;
                       if (::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) return 2;
                       return ::shutdown(fd, SHUT_WR) == 0 ? 0 : 3;
                     }),
            0);
  EXPECT_EQ(confined(base(), {},
                     [fd = ends[0]] { return ::shutdown(fd, SHUT_WR) == -1 && errno == EPERM ? 0 : 1; }),
            0)
      << "who has no clients ends nothing that others share";
}

TEST_F(SandboxTest, privileges_and_dumps_are_forbidden) {
  EXPECT_EQ(confined(base(), {},
                     [] {
                       // prctl itself is forbidden by now.
                       return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EPERM ? 0 : 1;
                     }),
            0);
}

TEST_F(SandboxTest, a_folder_for_reading_is_all_that_can_be_read_and_not_written) {
  const int fd = descriptor_.get();
  EXPECT_EQ(confined(with_folder(FolderRight::read, {SyscallSet::read_files, SyscallSet::write_files}), {fd},
                     [fd] {
                       if (::openat(fd, "file", O_RDONLY) < 0) return 1;
                       if (::openat(fd, "file", O_WRONLY) >= 0) return 2;
                       if (::openat(fd, "new", O_WRONLY | O_CREAT, 0600) >= 0) return 3;
                       if (::openat(fd, "../../etc/passwd", O_RDONLY) >= 0) return 4;
                       if (::openat(AT_FDCWD, "/etc/passwd", O_RDONLY) >= 0) return 5;
                       if (::unlinkat(fd, "file", 0) == 0) return 6;
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, a_folder_for_writing_takes_files_and_nothing_that_runs) {
  const int fd = descriptor_.get();
  EXPECT_EQ(confined(with_folder(FolderRight::write, {SyscallSet::read_files, SyscallSet::write_files}), {fd},
                     [fd] {
                       if (::mkdirat(fd, "new", 0700) != 0) return 1;
                       if (::renameat(fd, "file", fd, "new/file") != 0) return 2;
                       if (::symlinkat("/etc/passwd", fd, "link") == 0) return 3;
                       if (::openat(fd, "new/file", O_WRONLY | O_TRUNC) < 0) return 4;
                       if (::openat(AT_FDCWD, "/tmp/outside", O_WRONLY | O_CREAT, 0600) >= 0) return 5;
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, as_root_the_user_changes_for_good_and_the_root_directory_too) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  auto confinement = with_folder(FolderRight::read, {SyscallSet::read_files});
  confinement.change_user = true;
  confinement.uid = confinement.gid = 71'234;
  EXPECT_EQ(confined(confinement, {descriptor_.get()},
                     [] {
                       if (::getuid() != 71'234 || ::geteuid() != 71'234 || ::getegid() != 71'234) return 1;
                       if (::setuid(0) == 0) return 2;
                       return 0;
                     }),
            0);
}

/// The number of the port on which `socket` listens or receives.
std::uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// 0, or the errno of what failed.
int connect_error(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const auto address = loopback(port);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
}

TEST_F(SandboxTest, tcp_chooses_its_source_address_and_no_port_where_that_is_granted) {
  if (landlock_abi() < 4) GTEST_SKIP() << "this kernel's Landlock has no ports";
  const auto named = listening();
  auto confinement = base();
  confinement.socket_families = {AF_INET};
  confinement.tcp_connect_ports = {port_of(named.get())};
  confinement.tcp_sources = true;
  EXPECT_EQ(confined(confinement, {},
                     [port = port_of(named.get())] {
                       const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
                       const auto taken = loopback(port), any = loopback(0);
                       const auto* chosen = reinterpret_cast<const sockaddr*>(&taken);
                       const auto* free = reinterpret_cast<const sockaddr*>(&any);
                       if (::bind(fd.get(), chosen, sizeof(taken)) == 0 || errno != EACCES) return 1;
                       if (::bind(fd.get(), free, sizeof(any)) != 0) return 2;
                       return ::connect(fd.get(), chosen, sizeof(taken)) == 0 ? 0 : 3;
                     }),
            0);
}

TEST_F(SandboxTest, tcp_connects_to_the_named_ports_alone_and_does_not_listen) {
  if (landlock_abi() < 4) GTEST_SKIP() << "this kernel's Landlock has no ports";
  const auto named = listening(), other = listening();
  auto confinement = base();
  confinement.socket_families = {AF_INET};
  confinement.tcp_connect_ports = {port_of(named.get())};
  EXPECT_EQ(confined(confinement, {},
                     [ours = port_of(named.get()), theirs = port_of(other.get())] {
                       if (connect_error(ours) != 0) return 1;
                       if (connect_error(theirs) != EACCES) return 2;
                       const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
                       const auto any = loopback(0), to = loopback(theirs);
                       const auto* address = reinterpret_cast<const sockaddr*>(&any);
                       if (::bind(fd.get(), address, sizeof(any)) == 0 || errno != EACCES) return 3;
                       msghdr message{};
                       message.msg_name = const_cast<sockaddr_in*>(&to);
                       message.msg_namelen = sizeof(to);
                       if (::sendmsg(fd.get(), &message, MSG_FASTOPEN) >= 0 || errno != EOPNOTSUPP) return 4;
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, datagram_sockets_are_for_rows_that_have_them_and_are_connected) {
  auto confinement = base();
  confinement.socket_families = {AF_INET};
  EXPECT_EQ(confined(confinement, {},
                     [] { return ::socket(AF_INET, SOCK_DGRAM, 0) < 0 && errno == EPERM ? 0 : 1; }),
            0);
  const UniqueFd receiver(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto any = loopback(0);
  ASSERT_EQ(::bind(receiver.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
  confinement.calls = {SyscallSet::datagrams};
  EXPECT_EQ(confined(confinement, {},
                     [to = loopback(port_of(receiver.get()))] {
                       const auto* address = reinterpret_cast<const sockaddr*>(&to);
                       const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
                       if (::sendto(fd.get(), "x", 1, 0, address, sizeof(to)) >= 0 || errno != EPERM)
                         return 1;
                       if (::connect(fd.get(), address, sizeof(to)) != 0) return 2;
                       if (::send(fd.get(), "x", 1, 0) != 1) return 3;
                       return ::socket(AF_INET, SOCK_RAW, IPPROTO_UDP) < 0 && errno == EPERM ? 0 : 4;
                     }),
            0);
}

TEST_F(SandboxTest, sockets_are_of_tcp_and_udp_and_of_no_other_protocol) {
  auto confinement = base();
  confinement.socket_families = {AF_INET, AF_INET6};
  confinement.calls = {SyscallSet::datagrams};
  EXPECT_EQ(confined(confinement, {},
                     [] {
                       const auto denied = [](int family, int type, int protocol) {
                         return ::socket(family, type, protocol) < 0 && errno == EPERM;
                       };
                       for (const int family : {AF_INET, AF_INET6}) {
                         if (::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP) < 0) return 1;
                         if (::socket(family, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP) < 0) return 2;
                         if (!denied(family, SOCK_STREAM, IPPROTO_MPTCP)) return 3;
                         if (!denied(family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_SCTP)) return 4;
                         if (!denied(family, SOCK_DGRAM, IPPROTO_UDPLITE)) return 5;
                         if (!denied(family, SOCK_DGRAM, IPPROTO_ICMP)) return 6;
                       }
                       return 0;
                     }),
            0);
}

TEST_F(SandboxTest, a_named_family_is_the_only_one_that_opens_a_socket) {
  auto confinement = base();
  confinement.socket_families = {AF_INET};
  EXPECT_EQ(confined(confinement, {},
                     [] {
                       if (::socket(AF_INET, SOCK_STREAM, 0) < 0) return 1;
                       if (::socket(AF_UNIX, SOCK_STREAM, 0) >= 0) return 2;
                       return 0;
                     }),
            0);
}

}  // namespace
}  // namespace sternpost
