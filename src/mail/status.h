// Reply codes (RFC 5321 section 4.2) and enhanced status codes (RFC 3463), and a reply made of both.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace sternpost::mail {

/// A three-digit SMTP reply code, 200 to 599.
using ReplyCode = std::uint16_t;

/// class.subject.detail of RFC 3463: {5, 1, 1} is "5.1.1". Class 0 is none.
struct EnhancedStatus {
  std::uint8_t status_class = 0;
  std::uint16_t subject = 0;
  std::uint16_t detail = 0;

  bool operator==(const EnhancedStatus&) const = default;
  static constexpr auto fields() {
    return std::tuple(&EnhancedStatus::status_class, &EnhancedStatus::subject, &EnhancedStatus::detail);
  }
};

std::string to_string(EnhancedStatus status);

/// One reply. `text` is one line of printable ASCII without CR or LF.
struct Reply {
  ReplyCode code = 0;
  EnhancedStatus status;
  std::string text;

  [[nodiscard]] bool positive() const { return code >= 200 && code < 400; }
  [[nodiscard]] bool intermediate() const { return code >= 300 && code < 400; }
  [[nodiscard]] bool temporary() const { return code >= 400 && code < 500; }
  [[nodiscard]] bool permanent() const { return code >= 500; }
  bool operator==(const Reply&) const = default;
  static constexpr auto fields() { return std::tuple(&Reply::code, &Reply::status, &Reply::text); }
};

/// "550 5.1.1 no such mailbox", for records and logs.
std::string to_string(const Reply& reply);

}  // namespace sternpost::mail
