#include "route/next_hop.h"

#include <algorithm>

#include "base/ascii.h"
#include "route/host_port.h"

namespace sternpost::route {
namespace {

constexpr std::uint16_t kSmtpPort = 25;
constexpr std::uint16_t kLmtpPort = 24;
constexpr std::size_t kLongestPath = 107;  // of a sockaddr_un

std::uint16_t usual_port(SiteProtocol protocol) {
  return protocol == SiteProtocol::smtp ? kSmtpPort : kLmtpPort;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!equals_ignoring_case(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_path(std::string_view text) {
  return text.starts_with('/') && text.size() <= kLongestPath &&
         std::ranges::all_of(text, [](char c) { return is_printable(c) && c != ' '; });
}

}  // namespace

std::optional<NextHop> parse_next_hop(std::string_view text) {
  NextHop hop;
  if (take_prefix(text, "lmtp:")) {
    hop.protocol = SiteProtocol::lmtp;
  } else {
    take_prefix(text, "smtp:");
  }
  if (take_prefix(text, "unix:")) {
    if (hop.protocol != SiteProtocol::lmtp || !is_path(text)) return std::nullopt;
    hop.kind = NextHop::Kind::local;
    hop.name = text;
    return hop;
  }
  hop.port = usual_port(hop.protocol);
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto host = normalize_host(text.substr(1, end - 1));
    if (!host) return std::nullopt;
    hop.kind = NextHop::Kind::host;
    hop.name = *host;
    rest = text.substr(end + 1);
  } else {
    const auto end = std::min(text.find(':'), text.size());
    const auto domain = normalize_host(text.substr(0, end));
    if (!domain || normalize_ip(*domain)) return std::nullopt;  // an address is written in brackets
    // LMTP has no MX (RFC 2033 is for a host that the administrator knows).
    hop.kind = hop.protocol == SiteProtocol::smtp ? NextHop::Kind::mx : NextHop::Kind::host;
    hop.name = *domain;
    rest = text.substr(end);
  }
  if (rest.empty()) return hop;
  const auto port = rest.starts_with(':') ? parse_port(rest.substr(1)) : std::nullopt;
  if (!port) return std::nullopt;
  hop.port = *port;
  return hop;
}

std::string to_string(const NextHop& hop) {
  std::string text = hop.protocol == SiteProtocol::lmtp ? "lmtp:" : "";
  if (hop.kind == NextHop::Kind::local) return text + "unix:" + hop.name;
  text += hop.kind == NextHop::Kind::mx ? hop.name : "[" + hop.name + "]";
  if (hop.port != usual_port(hop.protocol)) text += ":" + std::to_string(hop.port);
  return text;
}

}  // namespace sternpost::route
