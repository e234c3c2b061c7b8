#include "config/text_types.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/ascii.h"
#include "mail/address.h"
#include "mail/extension.h"
#include "route/host_port.h"
#include "route/next_hop.h"

namespace sternpost::config {
namespace {

constexpr std::size_t kLongestComponent = 255;
constexpr std::size_t kLongestMailboxDirectory = 512;
constexpr std::ptrdiff_t kMostMailboxLevels = 16;  // of delivery::split_path

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

bool is_good_component(std::string_view component, bool relative) {
  if (component.size() > kLongestComponent || component == "." || component == "..") return false;
  return !relative || component.front() != '.';
}

}  // namespace

std::optional<std::string> normalize_hostname(std::string_view text) {
  const auto domain = mail::Domain::from_wire(text);
  if (!domain || domain->is_literal()) return std::nullopt;
  return domain->to_wire();
}

std::optional<std::string> normalize_domain(std::string_view text) {
  const auto domain = mail::Domain::from_wire(text);
  if (!domain) return std::nullopt;
  return domain->to_wire();
}

std::optional<std::string> normalize_path(std::string_view text, bool relative) {
  if (text.empty() || has_control_character(text)) return std::nullopt;
  const bool absolute = text.front() == '/';
  if (!absolute && !relative) return std::nullopt;
  std::string out;
  while (!text.empty()) {
    const auto slash = std::min(text.find('/'), text.size());
    const auto component = text.substr(0, slash);
    text.remove_prefix(std::min(slash + 1, text.size()));
    if (component.empty()) continue;
    if (!is_good_component(component, !absolute)) return std::nullopt;
    if (absolute || !out.empty()) out.push_back('/');
    out += component;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

std::optional<std::string> normalize_mailbox_directory(std::string_view text) {
  if (text.size() > kLongestMailboxDirectory || text.starts_with('/')) return std::nullopt;
  auto path = normalize_path(text, true);
  if (path && std::ranges::count(*path, '/') >= kMostMailboxLevels) return std::nullopt;
  return path;
}

std::optional<std::string> normalize_user_part(std::string_view text) {
  if (text.empty() || text.find('"') != std::string_view::npos) return std::nullopt;
  const auto mailbox = mail::Mailbox::from_wire(std::string(text) + "@example.org");
  if (!mailbox || mailbox->local_part() != text) return std::nullopt;
  return mail::fold_case(text);
}

std::optional<std::string> normalize_account(std::string_view text) {
  if (text.empty()) return std::string();
  if (is_digit(text.front())) {
    std::uint32_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || number == 0 || number == UINT32_MAX) return std::nullopt;
    return std::string(text);
  }
  const bool good = std::ranges::all_of(
      text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.'; });
  if (!good || text.front() == '-' || text.front() == '.' || text == "root") return std::nullopt;
  return std::string(text);
}

std::optional<std::string> normalize_delimiter(std::string_view text) {
  constexpr std::string_view kAllowed = "+-=_#%&!~^|$*";
  if (text.empty()) return std::string();
  if (text.size() != 1 || kAllowed.find(text.front()) == std::string_view::npos) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> normalize_mailbox_address(std::string_view text) {
  if (text.starts_with('@')) {
    const auto domain = normalize_domain(text.substr(1));
    if (!domain) return std::nullopt;
    return "@" + *domain;
  }
  const auto mailbox = mail::Mailbox::from_wire(text);
  if (!mailbox || mailbox->local_part().empty() || mailbox->domain().to_wire().empty()) return std::nullopt;
  return mail::fold_case(mailbox->to_wire());
}

std::optional<std::string> normalize_address(std::string_view text) {
  return route::normalize_ip(text);
}

std::optional<std::string> normalize_next_hop(std::string_view text) {
  if (text.empty()) return std::string();
  const auto hop = route::parse_next_hop(text);
  if (!hop) return std::nullopt;
  return route::to_string(*hop);
}

std::optional<std::string> normalize_route_pattern(std::string_view text) {
  if (text == "*") return std::string(text);
  const bool below = text.starts_with('.');
  auto domain = normalize_hostname(text.substr(below ? 1 : 0));
  if (domain && below) domain->insert(domain->begin(), '.');
  return domain;
}

}  // namespace sternpost::config
