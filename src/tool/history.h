// The history of decisions on disk: history.jsonl and its rotated predecessors, from the oldest line to the
// newest.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "tool/failure.h"

namespace sternpost::tool {

class History {
 public:
  /// Opens all files below STATE/log. They stay the same files while log rotates them.
  static Outcome<History> open(const std::string& state_directory);

  /// Calls `use` with each line, without its LF, NUL-terminated. May be called again: it starts from the
  /// oldest. Lines beyond kMaxRecordLine are passed over.
  Outcome<void> for_each_line(const std::function<void(const std::string& line)>& use) const;

 private:
  std::vector<UniqueFd> files_;  // oldest first
};

}  // namespace sternpost::tool
