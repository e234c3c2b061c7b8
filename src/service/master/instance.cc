#include "service/master/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

namespace sternpost {
namespace {

constexpr int kBacklog = 1024;
/// How long the queue is waited for: a spool whose master was killed ends within a moment.
constexpr std::chrono::seconds kQueuePatience{5};
constexpr std::chrono::milliseconds kQueuePoll{20};
constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

Result<void> sync_folder(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), kDirectory));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno("syncing " + path.string());
  return {};
}

/// Nothing is in it but what a new file system has.
bool is_empty(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator at(path, error);
  for (; !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
    if (at->path().filename() != "lost+found") return false;
  }
  return !error;
}

/// Gives the folder to `owner` where it is new or root's and empty. One that belongs to somebody else is
/// refused: whoever can put a folder there must not have it given to another.
Result<void> take_ownership(int fd, const std::string& path, Owner owner) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail_errno("examining " + path);
  if (status.st_uid == owner.uid && status.st_gid == owner.gid) return {};
  if (status.st_uid != owner.uid && (status.st_uid != 0 || !is_empty(path))) {
    return fail(ErrorClass::permanent,
                fmt::format("{} belongs to uid {} and should belong to {}; look at what is in it, then: "
                            "chown -R {}:{} {}",
                            path, status.st_uid, owner.uid, owner.uid, owner.gid, path));
  }
  if (::fchown(fd, owner.uid, owner.gid) != 0) return fail_errno("changing the owner of " + path);
  return {};
}

/// Creates the folder where it is missing, durably, and gives it this owner and mode. A symbolic link in its
/// place is not followed: where it leads is not for the administrator alone to say.
Result<UniqueFd> open_folder(const std::string& path, Owner owner, mode_t mode, bool as_root) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(path, error);
  if (error) return fail_errno("creating " + path, error.value());
  UniqueFd fd(::open(path.c_str(), kDirectory | O_NOFOLLOW));
  if (!fd && (errno == ELOOP || errno == ENOTDIR)) {
    return fail(ErrorClass::permanent,
                path + " is a symbolic link or no folder; name the folder itself in the configuration");
  }
  if (!fd) return fail_errno("opening " + path);
  if (as_root) {
    if (auto done = take_ownership(fd.get(), path, owner); !done) return fail_with(std::move(done));
  }
  if (::fchmod(fd.get(), mode) != 0) return fail_errno("changing the mode of " + path);
  if (is_new) {
    if (auto done = sync_folder(std::filesystem::path(path).parent_path()); !done) {
      return fail_with(std::move(done));
    }
  }
  return fd;
}

std::optional<std::uint32_t> parse_number(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Owner> find_mail_owner(const config::MasterSlice& slice) {
  if (slice.mail_owner.empty()) {
    return owner_of(plan_row(Compartment::virtual_mailbox), slice.uid_base, Owner{});
  }
  const auto number = parse_number(slice.mail_owner);
  const passwd* user = number ? ::getpwuid(*number) : ::getpwnam(slice.mail_owner.c_str());
  Owner owner;
  if (user != nullptr) {
    owner = {user->pw_uid, user->pw_gid};
  } else if (number) {
    owner = {*number, *number};
  } else {
    return fail(ErrorClass::permanent, "mailboxes.owner: there is no user " + slice.mail_owner);
  }
  if (owner.uid == 0) return fail(ErrorClass::permanent, "mailboxes.owner: mail is never delivered as root");
  return owner;
}

Result<UniqueFd> take_lock(int run_folder, const std::string& state) {
  UniqueFd fd(::openat(run_folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno("opening " + state + "/run/lock");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail(ErrorClass::permanent,
                  "another instance runs on " + state + "; stop it with: sternpost stop --state " + state);
    }
    return fail_errno("locking " + state);
  }
  const auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return fail_errno("writing " + state + "/run/lock");
  }
  return fd;
}

/// Locks a folder of the queue as long as anybody has this descriptor, or one that was passed on, open: spool
/// has, so that none begins beside one whose master was killed, nor beside a command that works on the files.
Result<UniqueFd> lock_queue(Result<UniqueFd>&& folder, const std::string& path) {
  if (!folder) return folder;
  const auto deadline = std::chrono::steady_clock::now() + kQueuePatience;
  while (::flock(folder->get(), LOCK_EX | LOCK_NB) != 0) {
    // A file system without such locks is no reason not to start; the commands refuse to work there.
    if (errno != EWOULDBLOCK) return folder;
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(ErrorClass::permanent,
                  "the queue in " + path +
                      " is in use, by a command such as sternpost spool or by another instance; wait for "
                      "its end, or stop it: sudo fuser -v " +
                      path);
    }
    std::this_thread::sleep_for(kQueuePoll);
  }
  return folder;
}

/// Takes the value out of `from`, or remembers the first failure in `failed`.
void take(UniqueFd& into, Result<UniqueFd>&& from, std::optional<Error>& failed) {
  if (from) {
    into = std::move(*from);
  } else if (!failed) {
    failed = std::move(from.error());
  }
}

}  // namespace

Result<UniqueFd> open_nameless_directory() {
  auto path = (std::filesystem::temp_directory_path() / "sternpost-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return fail_errno("creating an empty directory in /tmp");
  UniqueFd fd(::open(path.c_str(), kDirectory));
  const int error = errno;
  ::rmdir(path.c_str());
  if (!fd) return fail_errno("opening " + path, error);
  return fd;
}

Owner owner_of(const Row& row, std::uint32_t uid_base, Owner mail_owner) {
  if (row.identity == Identity::mail_owner && mail_owner.uid != 0) return mail_owner;
  const auto uid = uid_base + static_cast<std::uint32_t>(row.self);
  return {uid, uid};
}

Result<InstanceFolders> InstanceFolders::open(const config::MasterSlice& slice, bool as_root) {
  InstanceFolders folders;
  const auto mail_owner = find_mail_owner(slice);
  if (!mail_owner) return std::unexpected(mail_owner.error());
  folders.mail_owner_ = *mail_owner;
  const Owner self{::geteuid(), ::getegid()};
  const auto owner = [&](Compartment row) { return owner_of(plan_row(row), slice.uid_base, *mail_owner); };
  const auto& state = slice.state_directory;

  std::optional<Error> failed;
  UniqueFd state_fd, run;
  take(state_fd, open_folder(state, self, 0755, as_root), failed);
  take(run, open_folder(state + "/run", self, 0755, as_root), failed);
  if (!failed) take(folders.lock_, take_lock(run.get(), state), failed);
  if (!failed) {
    const auto open_queue = [&](const std::string& path) {
      return lock_queue(open_folder(path, owner(Compartment::spool), 0700, as_root), path);
    };
    take(folders.spool_, open_queue(state + "/spool"), failed);
    if (!failed && slice.deferred_directory != state + "/spool") {
      take(folders.deferred_, open_queue(slice.deferred_directory), failed);
    }
    take(folders.log_, open_folder(state + "/log", owner(Compartment::log), 0750, as_root), failed);
    take(folders.mail_, open_folder(slice.mail_directory, *mail_owner, 0700, as_root), failed);
  }
  if (failed) return std::unexpected(std::move(*failed));
  folders.system_names_.reset(::open("/etc", kDirectory));
  if (!folders.system_names_) return fail_errno("opening /etc");
  return folders;
}

int InstanceFolders::descriptor(Place place) const {
  switch (place) {
    case Place::spool:
      return spool_.get();
    case Place::deferred:
      return deferred_ ? deferred_.get() : spool_.get();
    case Place::mail:
      return mail_.get();
    case Place::log:
      return log_.get();
    case Place::system_names:
      return system_names_.get();
    case Place::configuration:
    case Place::trust_anchor:
      return -1;
  }
  return -1;
}

namespace {

Result<UniqueFd> listen_on(const config::Listener& listener) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  const auto port = std::to_string(listener.port);
  const auto where = fmt::format("{}:{}", listener.address, port);
  if (const int error = ::getaddrinfo(listener.address.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(ErrorClass::permanent, fmt::format("smtp.listen: {}: {}", where, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, &::freeaddrinfo);
  UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("opening a socket for " + where);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Inherited by what is accepted: a reply must not wait for the acknowledgement of the one before it.
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (found->ai_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0)
    return fail_errno("smtp.listen: binding " + where);
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("smtp.listen: listening on " + where);
  return fd;
}

Result<UniqueFd> share(const UniqueFd& socket) {
  UniqueFd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("sharing a listening socket");
  return copy;
}

}  // namespace

Result<SmtpListeners> SmtpListeners::reopened(const std::vector<config::Listener>& wanted) const {
  SmtpListeners all;
  for (const auto& listener : wanted) {
    const std::pair key(listener.address, listener.port);
    const auto open = sockets_.find(key);
    auto fd = open == sockets_.end() ? listen_on(listener) : share(open->second);
    if (!fd) return fail_with(std::move(fd));
    all.sockets_.insert_or_assign(key, std::move(*fd));
  }
  return all;
}

std::vector<int> SmtpListeners::descriptors() const {
  std::vector<int> all;
  for (const auto& [key, fd] : sockets_) all.push_back(fd.get());
  return all;
}

std::string SmtpListeners::text() const {
  std::string text;
  for (const auto& [key, fd] : sockets_) {
    const bool v6 = key.first.contains(':');
    text +=
        fmt::format("{}{}:{}", text.empty() ? "" : " ", v6 ? '[' + key.first + ']' : key.first, key.second);
  }
  return text;
}

Result<ControlSocket> open_control_socket(const std::string& run_folder, const std::string& group,
                                          Owner admin) {
  const auto path = run_folder + "/control";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorClass::permanent, path + " is too long for a socket; choose a shorter state directory");
  }
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("opening the control socket");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("removing the old " + path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno("binding " + path);
  }
  gid_t gid = ::getegid();
  if (!group.empty()) {
    const auto number = parse_number(group);
    const ::group* found = number ? ::getgrgid(*number) : ::getgrnam(group.c_str());
    if (found == nullptr && !number) {
      return fail(ErrorClass::permanent, "admin.control_group: there is no group " + group);
    }
    gid = found != nullptr ? found->gr_gid : *number;
  }
  const bool as_root = ::geteuid() == 0;
  if ((as_root || !group.empty()) && ::chown(path.c_str(), as_root ? admin.uid : ::geteuid(), gid) != 0) {
    return fail_errno("admin.control_group: giving " + path + " to the group");
  }
  if (::chmod(path.c_str(), group.empty() ? 0600 : 0660) != 0)
    return fail_errno("changing the mode of " + path);
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("listening on " + path);
  ControlSocket control{std::move(fd), std::nullopt};
  if (!group.empty()) control.group = gid;
  return control;
}

}  // namespace sternpost
