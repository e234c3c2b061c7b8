#include "tool/export_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/printable.h"
#include "tool/configuration.h"

namespace sternpost::tool {
namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::unexpected<Failure> ExportFolder::failed(std::string_view what, const std::string& name) const {
  return failure(ExitStatus::failed,
                 fmt::format("cannot {} {}/{}: {}", what, path_, printable(name), std::strerror(errno)));
}

Outcome<ExportFolder> ExportFolder::open(const std::string& path, Missing missing) {
  ExportFolder folder;
  folder.path_ = absolute_path(path);
  const auto complain = [&](std::string_view what) {
    return failure(ExitStatus::failed,
                   fmt::format("cannot {} {}: {}", what, folder.path_, std::strerror(errno)));
  };
  const bool may_make = missing == Missing::is_made;
  const bool is_new = may_make && ::mkdir(folder.path_.c_str(), 0700) == 0;
  if (may_make && !is_new && errno != EEXIST) return complain("make");
  folder.fd_.reset(::open(folder.path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.fd_) return complain("open");
  if (is_new) {
    const auto parent = std::filesystem::path(folder.path_).parent_path();
    const UniqueFd above(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!above || ::fsync(above.get()) != 0) return complain("sync the folder above");
  }
  if (::flock(folder.fd_.get(), LOCK_EX | LOCK_NB) == 0) return folder;
  if (errno != EWOULDBLOCK) return complain("lock");
  return failure(ExitStatus::failed,
                 folder.path_ + " is in use by another `sternpost spool` command; wait for its end");
}

Outcome<std::string> ExportFolder::write_aside(const std::string& name, std::string_view content) {
  return write_aside(name, [content]() mutable -> Outcome<std::string_view> {
    return std::exchange(content, std::string_view());
  });
}

Outcome<std::string> ExportFolder::write_aside(const std::string& name, const Source& source) {
  auto aside = "." + name + ".new";
  const UniqueFd file(
      ::openat(fd_.get(), aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("make", aside);
  auto written = write_pieces(file.get(), aside, source);
  if (written) return aside;
  ::unlinkat(fd_.get(), aside.c_str(), 0);
  return std::unexpected(std::move(written.error()));
}

Outcome<void> ExportFolder::write_pieces(int fd, const std::string& name, const Source& source) const {
  for (;;) {
    const auto piece = source();
    if (!piece) return std::unexpected(piece.error());
    if (piece->empty()) break;
    if (!write_all(fd, *piece)) return failed("write", name);
  }
  return ::fsync(fd) == 0 ? Outcome<void>() : failed("write", name);
}

Outcome<void> ExportFolder::add_pieces(const std::string& name, const Source& source) {
  const auto aside = write_aside(name, source);
  return aside ? rename(*aside, name) : std::unexpected(aside.error());
}

Outcome<void> ExportFolder::add(const std::string& name, std::string_view content) {
  if (has(name)) {
    const auto there = read(name, content.size());
    if (!there || *there != content) {
      return failure(
          ExitStatus::failed,
          fmt::format("{}/{} is there already and is something else; it is left as it is", path_, name));
    }
    // Whoever wrote it may not have come to the sync.
    const UniqueFd file(::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file || ::fsync(file.get()) != 0) return failed("sync", name);
    return {};
  }
  const auto aside = write_aside(name, content);
  if (!aside) return std::unexpected(aside.error());
  return rename(*aside, name);
}

Outcome<void> ExportFolder::replace(const std::string& name, std::string_view content) {
  const auto aside = write_aside(name, content);
  if (!aside) return std::unexpected(aside.error());
  if (::renameat(fd_.get(), aside->c_str(), fd_.get(), name.c_str()) != 0) return failed("write", name);
  return sync();
}

Outcome<std::string> ExportFolder::read(const std::string& name, std::size_t most) const {
  const UniqueFd file(
      ::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return failed("read", name);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed("read", name);
  const auto refuse = [&](std::string_view why) {
    return failure(ExitStatus::failed, fmt::format("{}/{} {}", path_, printable(name), why));
  };
  if (!S_ISREG(status.st_mode)) return refuse("is no regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > most) return refuse(fmt::format("has {} octets, and may have {}", size, most));
  std::string content(size, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const auto count = ::read(file.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", name);
    if (count == 0) return refuse("changed while it was read");
    done += static_cast<std::size_t>(count);
  }
  return content;
}

Outcome<void> ExportFolder::rename(const std::string& from, const std::string& to) {
  if (::renameat2(fd_.get(), from.c_str(), fd_.get(), to.c_str(), RENAME_NOREPLACE) == 0) return {};
  // Not every file system can refuse by itself; the lock keeps our own commands away meanwhile.
  if (errno == EINVAL && !has(to) && ::renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) == 0)
    return {};
  return failed("make", to);
}

Outcome<void> ExportFolder::remove(const std::string& name) {
  if (::unlinkat(fd_.get(), name.c_str(), 0) != 0) return failed("remove", name);
  return sync();
}

bool ExportFolder::has(const std::string& name) const {
  return ::faccessat(fd_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Outcome<std::vector<std::string>> ExportFolder::names() const {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(fmt::format("/proc/self/fd/{}", fd_.get()), error);
  for (; !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) return failure(ExitStatus::failed, fmt::format("cannot list {}: {}", path_, error.message()));
  std::ranges::sort(names);
  return names;
}

Outcome<void> ExportFolder::sync() {
  if (::fsync(fd_.get()) == 0) return {};
  return failure(ExitStatus::failed, fmt::format("cannot sync {}: {}", path_, std::strerror(errno)));
}

}  // namespace sternpost::tool
