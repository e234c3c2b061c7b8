#include "service/smtp/dns_link.h"

#include <utility>
#include <vector>

namespace sternpost::smtp_client {

void DnsLink::connect(UniqueFd socket) {
  channel_ = std::make_unique<DnsChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = dns::kMaxFrame}, context_.traffic,
      DnsChannel::Handlers{
          .on_frame = [this](dns::FromDns&& frame) { return take(std::get<dns::Answer>(std::move(frame))); },
          .on_closed =
              [this](const Error& why) {
                context_.channel_closed(Compartment::dns, why, true);
                channel_.reset();
              }});
  for (const auto& [request, asked] : asked_) {
    channel_->send(dns::Lookup{request, dns::Kind::address, asked.host});
  }
}

void DnsLink::ask(const std::string& host, Answered answered, Time now) {
  const auto request = next_++;
  asked_.emplace(request, Asked{host, std::move(answered), now});
  if (channel_) channel_->send(dns::Lookup{request, dns::Kind::address, host});
}

Result<void> DnsLink::take(dns::Answer&& answer) {
  const auto asked = asked_.extract(answer.request);
  if (asked.empty()) return {};  // it came too late, or twice by a new channel
  asked.mapped().answered(std::move(answer));
  return {};
}

void DnsLink::sweep(Time now) {
  std::vector<Answered> late;
  std::erase_if(asked_, [&](auto& entry) {
    if (now - entry.second.since < kPatience) return false;
    late.push_back(std::move(entry.second.answered));
    return true;
  });
  for (const auto& answered : late) {
    dns::Answer answer;
    answer.outcome = dns::Outcome::unavailable;
    answer.why = "no answer in time";
    answered(std::move(answer));
  }
}

}  // namespace sternpost::smtp_client
