#include "spool/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <tuple>

namespace sternpost::spool {
namespace {

/// What is left of `pieces` behind their first `written` bytes.
std::span<iovec> without(std::span<iovec> pieces, std::size_t written) {
  while (!pieces.empty() && pieces.front().iov_len <= written) {
    written -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (written > 0) {
    pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + written;
    pieces.front().iov_len -= written;
  }
  return pieces;
}

class PosixFile : public DiskFile {
 public:
  PosixFile(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    return write_pieces(offset, {&bytes, 1});
  }

  Result<void> write_pieces(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    std::vector<iovec> all;
    all.reserve(pieces.size());
    for (const auto piece : pieces) all.push_back({const_cast<char*>(piece.data()), piece.size()});
    for (auto left = without(all, 0); !left.empty();) {
      const auto count = static_cast<int>(std::min<std::size_t>(left.size(), IOV_MAX));
      // Not pwritev: the compartment may make only this call.
      const ssize_t n = ::pwritev2(fd_.get(), left.data(), count, static_cast<off_t>(offset), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("writing " + name_);
      if (n == 0) return fail_errno("writing " + name_, EIO);
      offset += static_cast<std::uint64_t>(n);
      left = without(left, static_cast<std::size_t>(n));
    }
    return {};
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n =
          ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("reading " + name_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<void> sync() override {
    // EINTR is a failure like any other: what a second call would say about the first one's pages is not
    // known.
    if (::fdatasync(fd_.get()) != 0) return fail_errno("syncing " + name_);
    return {};
  }

  Result<void> write_out(std::uint64_t offset, std::uint64_t bytes) override {
    constexpr unsigned kWriteAndWait =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes), kWriteAndWait) !=
        0) {
      return fail_errno("writing out " + name_);
    }
    return {};
  }

  void begin_write_out(std::uint64_t offset, std::uint64_t bytes) override {
    // Without the flags that wait, the kernel keeps what fails for the next fdatasync().
    std::ignore = ::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                                    SYNC_FILE_RANGE_WRITE);
  }

  Result<void> clear() override {
    while (::ftruncate(fd_.get(), 0) != 0) {
      if (errno != EINTR) return fail_errno("emptying " + name_);
    }
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(fd_.get(), &status) != 0) return fail_errno("looking at " + name_);
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  UniqueFd fd_;
  std::string name_;
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

Result<PosixDisk> PosixDisk::reopened() {
  UniqueFd fd(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("opening the spool folder");
  return PosixDisk(std::move(fd), access_);
}

Result<std::vector<std::string>> PosixDisk::list() {
  auto own = reopened();
  if (!own) return fail_with(std::move(own));
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(own->directory_.get()));
  if (!directory) return fail_errno("opening the spool folder");
  (void)own->directory_.release();  // the stream owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return fail_errno("listing the spool folder");
  return names;
}

Result<std::unique_ptr<DiskFile>> PosixDisk::open(const std::string& name) {
  // Nothing is waited for where a name turns out to be a pipe's.
  auto fd = open(name, access_ == Access::read ? O_RDONLY | O_NONBLOCK : O_RDWR | O_CREAT);
  if (!fd) return fail_with(std::move(fd));
  return std::make_unique<PosixFile>(std::move(*fd), name);
}

Result<UniqueFd> PosixDisk::open(const std::string& name, int access) {
  UniqueFd fd(::openat(directory_.get(), name.c_str(), access | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("opening " + name);
  return fd;
}

Result<UniqueFd> PosixDisk::open_descriptor(const std::string& name) {
  return open(name, O_RDONLY | O_NONBLOCK);
}

Result<std::unique_ptr<DiskFile>> PosixDisk::open_existing(const std::string& name) {
  auto fd = open_descriptor(name);
  if (!fd) return fail_with(std::move(fd));
  return std::make_unique<PosixFile>(std::move(*fd), name);
}

Result<std::unique_ptr<DiskFile>> PosixDisk::create(const std::string& name) {
  auto fd = open(name, O_RDWR | O_CREAT | O_EXCL);
  if (!fd) return fail_with(std::move(fd));
  return std::make_unique<PosixFile>(std::move(*fd), name);
}

Result<void> PosixDisk::remove(const std::string& name) {
  if (::unlinkat(directory_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_errno("removing " + name);
}

Result<void> PosixDisk::sync_directory() {
  if (::fsync(directory_.get()) != 0) return fail_errno("syncing the spool folder");
  return {};
}

Result<std::uint64_t> PosixDisk::free_bytes() {
  struct statvfs status{};
  if (::fstatvfs(directory_.get(), &status) != 0) return fail_errno("asking for the free space of the spool");
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace sternpost::spool
