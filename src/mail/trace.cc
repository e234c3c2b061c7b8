#include "mail/trace.h"

#include "base/ascii.h"
#include "mail/date.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kMaxHelo = 255;

/// What may stand in a header as a domain; the rest becomes '?', so that no client writes into our trace.
constexpr bool is_harmless(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
}

void append_helo(std::string& out, std::string_view helo) {
  if (helo.empty()) {
    out += "unknown";
    return;
  }
  for (const char c : helo.substr(0, kMaxHelo)) out.push_back(is_harmless(c) ? c : '?');
}

}  // namespace

std::string address_literal(std::string_view ip_address) {
  std::string out = ip_address.find(':') == std::string_view::npos ? "[" : "[IPv6:";
  out += ip_address;
  out.push_back(']');
  return out;
}

std::string received_field(const TraceFacts& facts) {
  std::string out;
  out.reserve(512);
  out += "Received: from ";
  append_helo(out, facts.helo);
  out += " (";
  out += address_literal(facts.client_address);
  out += ")\r\n\tby ";
  out += facts.by;
  out += " with ";
  out += facts.with;
  out += " id ";
  out += to_string(facts.id);
  if (facts.recipient != nullptr) {
    out += "\r\n\tfor <";
    out += facts.recipient->to_wire();
    out.push_back('>');
  }
  out += facts.recipient != nullptr ? "; " : ";\r\n\t";
  out += to_rfc5322(facts.at);
  out += "\r\n";
  return out;
}

}  // namespace sternpost::mail
