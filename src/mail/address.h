// Mail addresses as RFC 5321 section 4.1.2 writes them in MAIL and RCPT. Only the parsers here make these
// types.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sternpost::mail {

/// A domain name or an address literal with its brackets, in lower case: "example.org", "[192.0.2.1]",
/// "[ipv6:2001:db8::1]".
/// At most 255 octets, labels of at most 63; ASCII only.
class Domain {
 public:
  Domain() = default;

  /// Nothing where `text` is neither a Domain nor an address-literal of RFC 5321.
  static std::optional<Domain> from_wire(std::string_view text);
  [[nodiscard]] const std::string& to_wire() const { return text_; }
  [[nodiscard]] std::size_t wire_size() const { return text_.size(); }
  /// Writes to_wire() and returns its end.
  char* write_wire(char* to) const;
  [[nodiscard]] bool is_literal() const { return !text_.empty() && text_.front() == '['; }

  auto operator<=>(const Domain&) const = default;

 private:
  explicit Domain(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// A Mailbox of RFC 5321: local-part and domain. The local part is kept without quoting, as it means, and is
/// at most 64 octets as written; the domain is empty only for the reserved <postmaster> (section 4.1.1.3).
class Mailbox {
 public:
  Mailbox() = default;

  /// Parses `local-part@domain` (Dot-string or Quoted-string), or the bare word postmaster in any case.
  static std::optional<Mailbox> from_wire(std::string_view text);
  /// As it goes on the wire: the local part is quoted where it must be.
  [[nodiscard]] std::string to_wire() const;
  [[nodiscard]] std::size_t wire_size() const;
  /// Writes to_wire() and returns its end.
  char* write_wire(char* to) const;

  [[nodiscard]] const std::string& local_part() const { return local_; }
  [[nodiscard]] const Domain& domain() const { return domain_; }
  /// The same local part at another domain: what <postmaster> becomes.
  [[nodiscard]] Mailbox at(const Domain& domain) const;

  auto operator<=>(const Mailbox&) const = default;

 private:
  std::string local_;
  Domain domain_;
};

/// The reverse-path of an envelope; nothing is the null reverse-path "<>" of notifications.
using ReversePath = std::optional<Mailbox>;

/// "<a@example.org>" or "<>".
std::string to_path(const ReversePath& path);

}  // namespace sternpost::mail
