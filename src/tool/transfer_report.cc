#include "tool/transfer_report.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace sternpost::tool {

TransferReport::TransferReport(std::string_view verb, bool json) : verb_(verb), json_(json) {
  if (json_) writer_.begin_object().key("messages").begin_array();
}

void TransferReport::done(std::string_view name, std::string_view id, std::string_view sender,
                          std::uint64_t recipients) {
  ++done_;
  if (json_) {
    writer_.begin_object().member("file", name).member("id", id).member("sender", sender);
    writer_.member("recipients", recipients).member("done", true).end_object();
  } else {
    const auto as = name == id ? "" : fmt::format(" as {}", id);
    out_ = fmt::format("{} {}{}: from {}, recipients: {}\n", verb_, printable(name), as,
                       printable(sender, 1024), recipients);
  }
  print();
}

void TransferReport::done_earlier(std::string_view name, std::string_view id) {
  ++done_;
  if (json_) {
    writer_.begin_object().member("file", name).member("id", id).member("done", true).end_object();
  } else {
    out_ = fmt::format("{} {} as {} by an earlier run\n", verb_, printable(name), id);
  }
  print();
}

void TransferReport::refused(std::string_view name, std::string_view why) {
  ++refused_;
  if (json_) {
    writer_.begin_object().member("file", name).member("done", false).member("why", why).end_object();
  } else {
    out_ = fmt::format("not {} {}: {}\n", verb_, printable(name), why);
  }
  print();
}

Outcome<void> TransferReport::finish(const std::string& stopped) {
  if (json_) {
    writer_.end_array().member(verb_, done_).member("refused", refused_);
    if (!stopped.empty()) writer_.member("stopped", stopped);
    writer_.end_object();
    out_ += '\n';
  } else {
    out_ = fmt::format("{}: {} messages\n", verb_, done_);
  }
  print();
  if (!stopped.empty()) return failure(ExitStatus::failed, stopped);
  if (refused_ == 0) return {};
  return failure(ExitStatus::failed, json_ ? "" : fmt::format("not {}: {} messages", verb_, refused_));
}

void TransferReport::print() {
  fmt::print("{}", out_);
  out_.clear();
}

}  // namespace sternpost::tool
