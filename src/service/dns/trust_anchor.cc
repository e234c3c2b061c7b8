#include "service/dns/trust_anchor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sternpost::dns {
namespace {

constexpr std::size_t kLongestLine = 4'096;
constexpr std::size_t kMostRecords = 64;
constexpr std::string_view kBlanks = " \t\r";

std::string_view without_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

Result<std::vector<std::string>> parse_trust_anchor(std::string_view text) {
  std::vector<std::string> records;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.size() > kLongestLine)
      return fail(ErrorClass::permanent, "dns.trust_anchor: the file has a line that is too long");
    const auto record = without_blanks(line.substr(0, line.find(';')));
    if (record.empty()) continue;
    if (records.size() == kMostRecords)
      return fail(ErrorClass::permanent, "dns.trust_anchor: the file holds too many records");
    records.emplace_back(record);
  }
  if (records.empty()) return fail(ErrorClass::permanent, "dns.trust_anchor: the file holds no record");
  return records;
}

Result<std::string> read_trust_anchor(int fd) {
  std::string text(kLargestTrustAnchor + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::pread(fd, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("dns.trust_anchor: reading the file");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kLargestTrustAnchor)
    return fail(ErrorClass::permanent, "dns.trust_anchor: the file is too large");
  text.resize(size);
  return text;
}

}  // namespace sternpost::dns
