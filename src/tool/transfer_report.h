// What an export or an import did, told while it goes on: of very many messages nobody keeps a list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/json_text.h"
#include "tool/failure.h"

namespace sternpost::tool {

class TransferReport {
 public:
  /// `verb` is "exported" or "imported"; with `json`, one object is printed, else a line for each message.
  TransferReport(std::string_view verb, bool json);

  /// `name` is of the files, `id` in the queue.
  void done(std::string_view name, std::string_view id, std::string_view sender, std::uint64_t recipients);
  /// Of a run before this one, which did not come to tell it.
  void done_earlier(std::string_view name, std::string_view id);
  void refused(std::string_view name, std::string_view why);
  /// Prints the sum; a failure where anything was refused. `stopped` is why the command ended early, if it
  /// did.
  Outcome<void> finish(const std::string& stopped);

 private:
  void print();

  std::string verb_;
  bool json_;
  std::string out_;
  JsonWriter writer_{out_};
  std::uint64_t done_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace sternpost::tool
