#include "mail/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"

namespace sternpost::mail {
namespace {

// RFC 5321 section 4.5.3.1.
constexpr std::size_t kMaxLocalPart = 64;
constexpr std::size_t kMaxDomain = 255;
constexpr std::size_t kMaxLabel = 63;  // RFC 1035 section 2.3.4

constexpr std::string_view kIpv6Tag = "ipv6:";
constexpr std::string_view kPostmaster = "postmaster";

constexpr std::array<bool, 256> kAtext = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 128; ++c) table[c] = is_alphanumeric(static_cast<char>(c));
  for (const char c : std::string_view("!#$%&'*+-/=?^_`{|}~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr bool is_atext(char c) {
  return kAtext[static_cast<unsigned char>(c)];
}
/// A Dot-string has no empty atom.
bool is_dot_string(std::string_view text) {
  bool atom_open = false;
  for (const char c : text) {
    if (c == '.') {
      if (!atom_open) return false;
      atom_open = false;
    } else {
      if (!is_atext(c)) return false;
      atom_open = true;
    }
  }
  return atom_open;
}

/// Address literals have one canonical spelling, so that equal addresses compare equal.
std::optional<std::string> canonical_literal(std::string_view text) {
  if (text.size() < 3 || text.size() > kMaxDomain || text.back() != ']') return std::nullopt;
  const auto inside = text.substr(1, text.size() - 2);
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (inside.size() > kIpv6Tag.size() && equals_ignoring_case(inside.substr(0, kIpv6Tag.size()), kIpv6Tag)) {
    const std::string digits(inside.substr(kIpv6Tag.size()));
    if (::inet_pton(AF_INET6, digits.c_str(), address.data()) != 1 ||
        digits.find('\0') != std::string::npos) {
      return std::nullopt;
    }
    ::inet_ntop(AF_INET6, address.data(), canonical.data(), canonical.size());
    return std::string("[ipv6:") + canonical.data() + "]";
  }
  const std::string digits(inside);
  if (::inet_pton(AF_INET, digits.c_str(), address.data()) != 1 || digits.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  return "[" + digits + "]";
}

/// What a Quoted-string at the start of `text` means; `text` is left with what follows the closing quote.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string meaning;
  for (std::size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return meaning;
    }
    if (c == '\\') {
      if (++i == text.size()) return std::nullopt;
      c = text[i];
    }
    if (!is_printable(c)) return std::nullopt;
    meaning.push_back(c);
  }
  return std::nullopt;
}

constexpr bool is_escaped(char c) {
  return c == '"' || c == '\\';
}

std::size_t quoted_size(std::string_view local) {
  return 1 + local.size() + static_cast<std::size_t>(std::ranges::count_if(local, is_escaped)) + 1;
}

char* write_quoted(std::string_view local, char* to) {
  *to++ = '"';
  for (const char c : local) {
    if (is_escaped(c)) *to++ = '\\';
    *to++ = c;
  }
  *to++ = '"';
  return to;
}

}  // namespace

std::optional<Domain> Domain::from_wire(std::string_view text) {
  if (text.empty() || text.size() > kMaxDomain) return std::nullopt;
  if (text.front() == '[') {
    auto literal = canonical_literal(text);
    if (!literal) return std::nullopt;
    return Domain(std::move(*literal));
  }
  std::string lower(text);
  std::size_t label = 0;
  char last = '.';
  for (char& c : lower) {
    if (c == '.') {
      if (label == 0 || last == '-') return std::nullopt;
      label = 0;
    } else {
      if (c == '-' ? label == 0 : !is_alphanumeric(c)) return std::nullopt;
      if (++label > kMaxLabel) return std::nullopt;
    }
    last = c;
    c = to_lower(c);
  }
  if (label == 0 || last == '-') return std::nullopt;
  return Domain(std::move(lower));
}

std::optional<Mailbox> Mailbox::from_wire(std::string_view text) {
  Mailbox mailbox;
  if (equals_ignoring_case(text, kPostmaster)) {
    mailbox.local_ = kPostmaster;
    return mailbox;
  }
  auto rest = text;
  if (text.starts_with('"')) {
    auto local = take_quoted(rest);
    if (!local) return std::nullopt;
    mailbox.local_ = std::move(*local);
  } else {
    const auto local = text.substr(0, text.find('@'));
    if (!is_dot_string(local)) return std::nullopt;
    mailbox.local_ = local;
    rest.remove_prefix(local.size());
  }
  if (text.size() - rest.size() > kMaxLocalPart || !rest.starts_with('@')) return std::nullopt;
  auto domain = Domain::from_wire(rest.substr(1));
  if (!domain) return std::nullopt;
  mailbox.domain_ = std::move(*domain);
  return mailbox;
}

char* Domain::write_wire(char* to) const {
  return to + text_.copy(to, text_.size());
}

std::string Mailbox::to_wire() const {
  std::string out(wire_size(), '\0');
  write_wire(out.data());
  return out;
}

std::size_t Mailbox::wire_size() const {
  if (domain_.wire_size() == 0) return local_.size();
  return (is_dot_string(local_) ? local_.size() : quoted_size(local_)) + 1 + domain_.wire_size();
}

char* Mailbox::write_wire(char* to) const {
  const bool bare = domain_.wire_size() == 0;
  to = bare || is_dot_string(local_) ? to + local_.copy(to, local_.size()) : write_quoted(local_, to);
  if (bare) return to;
  *to++ = '@';
  return domain_.write_wire(to);
}

Mailbox Mailbox::at(const Domain& domain) const {
  Mailbox moved;
  moved.local_ = local_;
  moved.domain_ = domain;
  return moved;
}

std::string to_path(const ReversePath& path) {
  return path ? "<" + path->to_wire() + ">" : "<>";
}

}  // namespace sternpost::mail
