#include "route/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "base/ascii.h"
#include "route/host_port.h"

namespace sternpost::route {
namespace {

constexpr std::array<std::string_view, 2> kProtocols = {"smtp", "lmtp"};
constexpr std::array<std::string_view, 4> kKinds = {"mx", "implicit", "host", "local"};
constexpr std::string_view kRouted = "-routed";
constexpr std::string_view kSecure = "-secure";

template <std::size_t N>
std::optional<std::size_t> index_in(const std::array<std::string_view, N>& words, std::string_view word) {
  const auto at = std::ranges::find(words, word);
  if (at == words.end()) return std::nullopt;
  return static_cast<std::size_t>(at - words.begin());
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

bool take_suffix(std::string_view& word, std::string_view suffix) {
  if (!word.ends_with(suffix)) return false;
  word.remove_suffix(suffix.size());
  return true;
}

std::optional<SiteHost> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto name = text.substr(0, colon);
  const auto port = parse_port(text.substr(colon + 1));
  const bool bracketed = name.starts_with('[') && name.ends_with(']');
  if (bracketed) name = name.substr(1, name.size() - 2);
  auto host = bracketed ? normalize_ip(name) : normalize_found_host(name);
  if (!port || !host || *host != name) return std::nullopt;
  return SiteHost{0, std::move(*host), *port};
}

bool is_socket_path(std::string_view path) {
  constexpr std::size_t kLongest = 107;  // of a sockaddr_un
  return path.starts_with('/') && path.size() <= kLongest && std::ranges::all_of(path, is_printable);
}

bool parse_hosts(std::string_view& text, Site& site) {
  if (site.kind == SiteKind::local) {
    const auto path = take_word(text);
    site.hosts.push_back({0, std::string(path), 0});
    return is_socket_path(path);
  }
  while (!text.empty() && !text.starts_with("from ")) {
    std::uint16_t preference = 0;
    if (site.kind == SiteKind::mx) {
      const auto word = take_word(text);
      const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), preference);
      if (error != std::errc{} || rest != word.data() + word.size()) return false;
    }
    auto host = parse_endpoint(take_word(text));
    if (!host || site.hosts.size() == kMaxSiteHosts) return false;
    host->preference = preference;
    site.hosts.push_back(std::move(*host));
  }
  return !site.hosts.empty() && (site.kind == SiteKind::mx || site.hosts.size() == 1);
}

bool parse_sources(std::string_view text, Site& site) {
  if (text.empty()) return true;
  take_word(text);
  while (!text.empty()) {
    const auto word = take_word(text);
    if (normalize_ip(word) != word || site.sources.size() == 2) return false;
    site.sources.emplace_back(word);
  }
  return !site.sources.empty();
}

}  // namespace

std::string to_string(const Site& site) {
  auto text = fmt::format("{} {}{}{}", kProtocols[static_cast<std::size_t>(site.protocol)],
                          kKinds[static_cast<std::size_t>(site.kind)], site.routed ? kRouted : "",
                          site.secure ? kSecure : "");
  for (const auto& host : site.hosts) {
    if (site.kind == SiteKind::mx) fmt::format_to(std::back_inserter(text), " {}", host.preference);
    text += ' ';
    text += site.kind == SiteKind::local ? host.name : format_host_port(host.name, host.port);
  }
  if (!site.sources.empty()) text += " from";
  for (const auto& source : site.sources) text.append(" ").append(source);
  return text;
}

std::optional<Site> parse_site(std::string_view text) {
  if (text.size() > kMaxSiteText) return std::nullopt;
  const auto whole = text;
  Site site;
  const auto protocol = index_in(kProtocols, take_word(text));
  auto word = take_word(text);
  site.secure = take_suffix(word, kSecure);
  site.routed = take_suffix(word, kRouted);
  const auto kind = index_in(kKinds, word);
  if (!protocol || !kind) return std::nullopt;
  site.protocol = static_cast<SiteProtocol>(*protocol);
  site.kind = static_cast<SiteKind>(*kind);
  if (!parse_hosts(text, site) || !parse_sources(text, site)) return std::nullopt;
  if (to_string(site) != whole) return std::nullopt;
  return site;
}

bool has_host(const Site& site, std::string_view name) {
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  const auto normal = normalize_found_host(name).value_or(std::string(name));
  return std::ranges::any_of(site.hosts, [&](const SiteHost& host) { return host.name == normal; });
}

}  // namespace sternpost::route
