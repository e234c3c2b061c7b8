// The few file operations that delivery needs, so that tests can fail, tear and crash them.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace sternpost::delivery {

/// A failed call, by its errno.
struct Errno {
  int value = 0;
};

template <class T>
using FileResult = std::expected<T, Errno>;

/// Names an open file or directory of one FileSystem.
using Handle = int;
inline constexpr Handle kNoHandle = -1;

/// Every name is one component; nothing here follows a symbolic link. Blocking.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual FileResult<Handle> open_directory(Handle parent, const std::string& name) = 0;
  /// Mode 0700.
  virtual FileResult<void> make_directory(Handle parent, const std::string& name) = 0;
  /// A file that did not exist, for writing, mode 0600.
  virtual FileResult<Handle> create(Handle directory, const std::string& name) = 0;
  /// All of it, at the end.
  virtual FileResult<void> write(Handle file, std::string_view bytes) = 0;
  /// fsync: this file or directory.
  virtual FileResult<void> sync(Handle handle) = 0;
  /// syncfs: the whole file system that `handle` is on. Fails for what could not be written since `handle`
  /// was opened.
  virtual FileResult<void> sync_all(Handle handle) = 0;
  /// Which file system that is.
  virtual FileResult<std::uint64_t> device(Handle handle) = 0;
  virtual FileResult<void> rename(Handle from, const std::string& name, Handle to) = 0;
  virtual FileResult<void> remove(Handle directory, const std::string& name) = 0;
  virtual FileResult<bool> exists(Handle directory, const std::string& name) = 0;
  /// True where the directory has a file of this name, or of this name followed by ':' and flags.
  virtual FileResult<bool> has_flagged(Handle directory, const std::string& name) = 0;
  /// When an entry of the directory changed last.
  virtual FileResult<WallTime> modified(Handle directory) = 0;
  virtual void close(Handle handle) = 0;
};

/// Owns a handle.
class OpenHandle {
 public:
  OpenHandle() = default;
  OpenHandle(FileSystem& files, Handle handle) : files_(&files), handle_(handle) {}
  OpenHandle(OpenHandle&& other) noexcept
      : files_(other.files_), handle_(std::exchange(other.handle_, kNoHandle)) {}
  OpenHandle& operator=(OpenHandle&& other) noexcept {
    if (this != &other) {
      reset();
      files_ = other.files_;
      handle_ = std::exchange(other.handle_, kNoHandle);
    }
    return *this;
  }
  ~OpenHandle() { reset(); }

  [[nodiscard]] Handle get() const { return handle_; }

 private:
  void reset() {
    if (handle_ != kNoHandle) files_->close(handle_);
    handle_ = kNoHandle;
  }

  FileSystem* files_ = nullptr;
  Handle handle_ = kNoHandle;
};

}  // namespace sternpost::delivery
