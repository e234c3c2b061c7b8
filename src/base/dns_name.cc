#include "base/dns_name.h"

#include <algorithm>

namespace sternpost {
namespace {

constexpr std::size_t kLongestLabel = 63;

bool is_label(std::string_view label) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= kLongestLabel && std::ranges::all_of(label, fits);
}

}  // namespace

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestDnsName) return false;
  while (true) {
    const auto dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace sternpost
