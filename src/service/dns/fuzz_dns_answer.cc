// Any bytes as the answer to a question: the first two choose the type of the records and what DNSSEC says.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/dns_name.h"
#include "service/dns/answer_parser.h"

using namespace sternpost::dns;

namespace {

constexpr std::array kTypes = {RecordType::mx, RecordType::a, RecordType::aaaa};
constexpr std::array kSecurities = {Security::insecure, Security::secure, Security::bogus};

/// What every answer keeps to, whatever the packet was.
bool is_bounded(const Answer& answer) {
  if (answer.mx.size() > kMostMx || answer.addresses.size() > kMostAddresses) return false;
  for (const auto& mx : answer.mx) {
    if (!mx.host.empty() && !is_dns_name(mx.host)) return false;
  }
  const bool has_reason = answer.outcome == Outcome::unavailable || answer.outcome == Outcome::bogus;
  return has_reason == !answer.why.empty() && answer.why.size() <= kLongestWhy &&
         sternpost::encode(answer).size() < kMaxFrame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const RawAnswer raw{.rcode = 0,
                      .packet = {reinterpret_cast<const char*>(data) + 2, size - 2},
                      .security = kSecurities.at(data[1] % kSecurities.size()),
                      .why_bogus = "because"};
  const auto type = kTypes.at(data[0] % kTypes.size());
  auto answer = parse_answer(raw, "example.org", type);
  if (!is_bounded(answer)) std::abort();
  auto twice = answer;
  if (!is_bounded(merge_addresses(std::move(answer), std::move(twice)))) std::abort();
  return 0;
}
