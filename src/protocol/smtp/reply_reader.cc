#include "protocol/smtp/reply_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/ascii.h"
#include "base/printable.h"

namespace sternpost::smtp {
namespace {

constexpr std::size_t kMaxQuoted = 80;

/// Takes the digits of one part of a status code and the dot behind it, if there is one.
std::optional<std::uint16_t> take_part(std::string_view& text) {
  constexpr std::size_t kMaxDigits = 3;  // RFC 3463 section 2
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || digits > kMaxDigits) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take_dot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes a status code that fits `code`, and the space behind it, off the front of `text`. RFC 2034 section
/// 4: there is none in other replies than 2yz, 4yz and 5yz, and its class is the first digit of the code.
std::optional<mail::EnhancedStatus> take_status(std::string_view& text, mail::ReplyCode code) {
  auto rest = text;
  const auto status_class = take_part(rest);
  if (!status_class || *status_class != code / 100 || *status_class == 3 || !take_dot(rest)) {
    return std::nullopt;
  }
  const auto subject = take_part(rest);
  if (!subject || !take_dot(rest)) return std::nullopt;
  const auto detail = take_part(rest);
  if (!detail || (!rest.empty() && rest.front() != ' ')) return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  text = rest;
  return mail::EnhancedStatus{static_cast<std::uint8_t>(*status_class), *subject, *detail};
}

}  // namespace

void ReplyReader::feed(std::string_view octets) {
  buffer_.erase(0, std::exchange(at_, 0));
  buffer_.append(octets);
}

std::optional<Result<mail::Reply>> ReplyReader::next() {
  if (!in_reply_) {
    lines_.clear();
    line_count_ = 0;
    octets_ = 0;
  }
  while (true) {
    auto input = std::string_view(buffer_).substr(at_);
    const auto before = input.size();
    const auto line = reader_.next(input);
    if (!line) {
      if (before < kMaxLine) return std::nullopt;
      return fail(ErrorClass::peer, fmt::format("a reply with a line longer than {} octets", kMaxLine));
    }
    const auto octets = before - input.size();
    at_ += octets;
    if (auto fault = take_line(*line, octets)) return fail(ErrorClass::peer, std::move(*fault));
    if (!in_reply_) return make_reply();
  }
}

/// Adds a line to the reply; answers what is wrong with it, or nothing.
std::optional<std::string> ReplyReader::take_line(const Line& line, std::size_t octets) {
  if (line.fault == LineFault::too_long) {
    return fmt::format("a reply with a line longer than {} octets", kMaxLine);
  }
  octets_ += octets;
  if (octets_ > kMaxReply) return fmt::format("a reply longer than {} octets", kMaxReply);
  if (++line_count_ > kMaxLines) return fmt::format("a reply of more than {} lines", kMaxLines);

  const auto text = line.text;
  const bool has_code = line.fault == LineFault::none && text.size() >= 3 && text[0] >= '2' &&
                        text[0] <= '5' && is_digit(text[1]) && is_digit(text[2]) &&
                        (text.size() == 3 || text[3] == ' ' || text[3] == '-');
  if (!has_code) return fmt::format("\"{}\", which is no reply", printable(text, kMaxQuoted));
  const auto code =
      static_cast<mail::ReplyCode>((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
  if (in_reply_ && code != code_) return fmt::format("a reply with both codes {} and {}", code_, code);

  code_ = code;
  in_reply_ = text.size() > 3 && text[3] == '-';
  if (text.size() > 4) lines_.append(text.substr(4));
  lines_.push_back('\n');
  return std::nullopt;
}

mail::Reply ReplyReader::make_reply() const {
  mail::Reply reply;
  reply.code = code_;
  auto rest = std::string_view(lines_);
  for (bool first = true; !rest.empty() && reply.text.size() < kMaxText; first = false) {
    const auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (const auto status = take_status(line, code_); status && first) reply.status = *status;
    line = trimmed(line);
    if (line.empty()) continue;
    if (!reply.text.empty()) reply.text.push_back(' ');
    line = line.substr(0, kMaxText - reply.text.size());
    for (const char c : line) reply.text.push_back(c == '\t' ? ' ' : is_printable(c) ? c : '?');
  }
  return reply;
}

}  // namespace sternpost::smtp
