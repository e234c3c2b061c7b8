#include "service/log/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sternpost::logging {
namespace {

constexpr mode_t kMode = 0640;

}  // namespace

LogFile::LogFile(int folder, std::string name, Limits limits)
    : folder_(folder), name_(std::move(name)), limits_(limits) {}

bool LogFile::append(std::string_view line) {
  if (line.size() > kMaxPending - std::min(pending_.size(), kMaxPending)) return false;
  pending_ += line;
  return true;
}

Result<void> LogFile::flush() {
  if (pending_.empty()) return {};
  if (!file_) {
    if (auto done = open(); !done) return done;
  }
  if (size_ >= limits_.max_bytes && !within_line_) {
    if (auto done = rotate(); !done) return done;
  }
  std::size_t written = 0;
  while (written < pending_.size()) {
    const auto count = ::write(file_.get(), pending_.data() + written, pending_.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  const int error = errno;
  size_ += written;
  if (written > 0) within_line_ = pending_[written - 1] != '\n';
  pending_.erase(0, written);
  if (!pending_.empty()) return fail_errno("writing " + name_, error);
  return {};
}

Result<void> LogFile::open() {
  UniqueFd file(
      ::openat(folder_, name_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!file) return fail_errno("opening " + name_);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno("examining " + name_);
  size_ = static_cast<std::uint64_t>(status.st_size);
  // A line that a crash cut short must not swallow the next one.
  char last = '\n';
  if (size_ > 0 && ::pread(file.get(), &last, 1, status.st_size - 1) != 1)
    return fail_errno("reading " + name_);
  if (last != '\n') pending_.insert(pending_.begin(), '\n');
  file_ = std::move(file);
  return {};
}

Result<void> LogFile::rotate() {
  for (auto number = limits_.keep_files; number > 0; --number) {
    const auto from = number == 1 ? name_ : fmt::format("{}.{}", name_, number - 1);
    const auto to = fmt::format("{}.{}", name_, number);
    if (::renameat(folder_, from.c_str(), folder_, to.c_str()) != 0 && errno != ENOENT) {
      return fail_errno("rotating " + name_);
    }
  }
  // Files beyond the number that is kept are left from a time when more were.
  for (auto number = limits_.keep_files + 1;
       ::unlinkat(folder_, fmt::format("{}.{}", name_, number).c_str(), 0) == 0;) {
    ++number;
  }
  file_.reset();
  return open();
}

}  // namespace sternpost::logging
