#include "protocol/smtp/client_transcript.h"

#include <fmt/format.h>

#include "base/ascii.h"

namespace sternpost::smtp {
namespace {

void split_into(std::vector<std::string>& out, std::string_view lines) {
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    out.emplace_back(lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
}

}  // namespace

void Transcript::add(std::string_view who, std::string_view line) {
  std::string* to = &first_;
  if (first_lines_ < kFirstLines) {
    ++first_lines_;
  } else {
    to = &last_;
    if (last_lines_ == kLastLines) {
      last_.erase(0, last_.find('\n') + 1);
      ++left_out_;
    } else {
      ++last_lines_;
    }
  }
  to->append(who);
  for (const char c : line.substr(0, kMaxLine - who.size())) to->push_back(is_printable(c) ? c : '?');
  to->push_back('\n');
}

void Transcript::command(std::string_view line) {
  add("C: ", line);
}

void Transcript::reply(mail::ReplyCode code, std::string_view lines) {
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    const bool last = end + 1 == lines.size();
    add(fmt::format("S: {}{}", code, last ? ' ' : '-'), lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
}

void Transcript::clear() {
  first_.clear();
  last_.clear();
  first_lines_ = last_lines_ = left_out_ = 0;
}

std::vector<std::string> Transcript::lines() const {
  std::vector<std::string> out;
  split_into(out, first_);
  if (left_out_ > 0) out.push_back(fmt::format("({} lines left out)", left_out_));
  split_into(out, last_);
  return out;
}

}  // namespace sternpost::smtp
