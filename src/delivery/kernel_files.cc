#include "delivery/kernel_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

namespace sternpost::delivery {
namespace {

std::unexpected<Errno> failed() {
  return std::unexpected(Errno{errno});
}

FileResult<void> checked(int answer) {
  if (answer != 0) return failed();
  return {};
}

/// open(2) on a slow file system can be interrupted; the rest of what we call is not.
FileResult<Handle> opened(Handle parent, const std::string& name, int flags) {
  int fd = -1;
  do {
    fd = ::openat(parent, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return failed();
  return fd;
}

}  // namespace

FileResult<Handle> KernelFiles::open_directory(Handle parent, const std::string& name) {
  return opened(parent, name, O_RDONLY | O_DIRECTORY);
}

FileResult<void> KernelFiles::make_directory(Handle parent, const std::string& name) {
  return checked(::mkdirat(parent, name.c_str(), 0700));
}

FileResult<Handle> KernelFiles::create(Handle directory, const std::string& name) {
  return opened(directory, name, O_WRONLY | O_CREAT | O_EXCL);
}

FileResult<void> KernelFiles::write(Handle file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return failed();
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

FileResult<void> KernelFiles::sync(Handle handle) {
  return checked(::fsync(handle));
}

FileResult<void> KernelFiles::sync_all(Handle handle) {
  return checked(::syncfs(handle));
}

FileResult<std::uint64_t> KernelFiles::device(Handle handle) {
  struct stat status{};
  if (::fstat(handle, &status) != 0) return failed();
  return status.st_dev;
}

FileResult<void> KernelFiles::rename(Handle from, const std::string& name, Handle to) {
  return checked(::renameat(from, name.c_str(), to, name.c_str()));
}

FileResult<void> KernelFiles::remove(Handle directory, const std::string& name) {
  return checked(::unlinkat(directory, name.c_str(), 0));
}

FileResult<bool> KernelFiles::exists(Handle directory, const std::string& name) {
  struct stat status{};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return failed();
}

FileResult<bool> KernelFiles::has_flagged(Handle directory, const std::string& name) {
  // A descriptor of its own: reading moves the offset.
  const auto fd = opened(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!fd) return std::unexpected(fd.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(*fd), &::closedir);
  if (!entries) {
    const auto error = failed();
    ::close(*fd);
    return error;
  }
  while (true) {
    errno = 0;
    const auto* entry = ::readdir(entries.get());
    if (entry == nullptr) {
      if (errno != 0) return failed();
      return false;
    }
    const std::string_view found = entry->d_name;
    if (found.starts_with(name) && (found.size() == name.size() || found[name.size()] == ':')) return true;
  }
}

FileResult<WallTime> KernelFiles::modified(Handle directory) {
  struct stat status{};
  if (::fstat(directory, &status) != 0) return failed();
  return WallTime{static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000 +
                  status.st_mtim.tv_nsec / 1'000};
}

void KernelFiles::close(Handle handle) {
  ::close(handle);
}

}  // namespace sternpost::delivery
