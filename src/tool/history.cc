#include "tool/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "runtime/record_text.h"

namespace sternpost::tool {
namespace {

constexpr unsigned kMostFiles = 1'000;
constexpr std::size_t kBlock = 256 * 1024;

std::unexpected<Failure> read_failure(const std::string& path) {
  return failure(ExitStatus::failed, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
}

/// Cuts a stream of blocks into lines.
class LineCutter {
 public:
  explicit LineCutter(const std::function<void(const std::string&)>& use) : use_(use) {}

  void feed(std::string_view block) {
    while (!block.empty()) {
      const auto end = block.find('\n');
      if (line_.size() <= kMaxRecordLine) line_ += block.substr(0, end);
      if (end == std::string_view::npos) return;
      block.remove_prefix(end + 1);
      if (line_.size() <= kMaxRecordLine) use_(line_);
      line_.clear();
    }
  }

 private:
  const std::function<void(const std::string&)>& use_;
  std::string line_;
};

}  // namespace

Outcome<History> History::open(const std::string& state_directory) {
  const auto folder = state_directory + "/log";
  const auto newest = folder + "/history.jsonl";
  if (::access(folder.c_str(), F_OK) != 0) {
    return failure(ExitStatus::failed,
                   fmt::format("there is no history: {}: {}", folder, std::strerror(errno)));
  }
  History history;
  std::set<std::pair<dev_t, ino_t>> seen;
  for (unsigned number = 0; number <= kMostFiles; ++number) {
    const auto path = number == 0 ? newest : fmt::format("{}.{}", newest, number);
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      if (errno != ENOENT) return read_failure(path);
      if (number > 0) break;
      continue;
    }
    // A rotation between two of these calls shows the same file under two names.
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return read_failure(path);
    if (seen.insert({status.st_dev, status.st_ino}).second) history.files_.push_back(std::move(file));
  }
  std::ranges::reverse(history.files_);
  return history;
}

Outcome<void> History::for_each_line(const std::function<void(const std::string& line)>& use) const {
  std::string block(kBlock, '\0');
  for (const auto& file : files_) {
    LineCutter cutter(use);
    off_t at = 0;
    for (;;) {
      const auto size = ::pread(file.get(), block.data(), block.size(), at);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return read_failure("the history");
      if (size == 0) break;
      at += size;
      cutter.feed(std::string_view(block).substr(0, static_cast<std::size_t>(size)));
    }
  }
  return {};
}

}  // namespace sternpost::tool
