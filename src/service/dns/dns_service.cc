#include "service/dns/dns_service.h"

#include <utility>

#include "base/dns_name.h"
#include "config/slices.h"
#include "service/dns/trust_anchor.h"

namespace sternpost::dns {
namespace {

static_assert(2 * (kMostLookups + kMostGivenUp) <= kMostQuestions);

/// All who wait may be told at once that they waited too long; nobody loses his channel for it.
constexpr std::size_t kMaxUnsent = kMostWaiting * (kLongestDnsName + kLongestWhy);

}  // namespace

Result<std::unique_ptr<Service>> DnsService::make(ServiceContext&& context) {
  auto slice = decode<config::DnsSlice>(context.slice);
  if (!slice || context.folders.size() != 1)
    return fail(ErrorClass::internal, "the configuration slice is malformed");
  const auto text = read_trust_anchor(context.folders[0].get());
  if (!text) return std::unexpected(text.error());
  auto anchor = parse_trust_anchor(*text);
  if (!anchor) return fail_with(std::move(anchor));
  auto unbound = Unbound::make(context.loop, {.servers = std::move(slice->servers),
                                              .trust_anchor = std::move(*anchor),
                                              .cache_bytes = slice->cache_bytes});
  if (!unbound) return fail_with(std::move(unbound));
  context.folders.clear();
  return std::make_unique<DnsService>(std::move(context), std::move(*unbound),
                                      Seconds(slice->timeout_seconds));
}

DnsService::DnsService(ServiceContext&& context, std::unique_ptr<Unbound> unbound, Milliseconds patience)
    : context_(std::move(context)),
      resolver_(context_.loop, {.answer = patience},
                [this](const std::string& name, RecordType type, Unbound::Done done) {
                  unbound_->ask(name, type, std::move(done));
                }),
      unbound_(std::move(unbound)) {}

void DnsService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  const auto at = askers_.emplace(askers_.end());
  *at = std::make_shared<AskerChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = kMaxFrame, .max_unsent = kMaxUnsent},
      context_.traffic,
      AskerChannel::Handlers{
          .on_frame = [this, at](ToDns&& frame) { return take(*at, std::get<Lookup>(frame)); },
          .on_closed =
              [this, at, row](const Error& why) {
                context_.channel_closed(row, why, false);
                resolver_.forget(at->get());
                askers_.erase(at);
              }});
}

Result<void> DnsService::take(const std::shared_ptr<AskerChannel>& channel, const Lookup& lookup) {
  if (!is_dns_name(lookup.name)) return fail(ErrorClass::peer, "a lookup of what is no domain name");
  resolver_.look_up(lookup.kind, lookup.name, channel.get(),
                    [weak = std::weak_ptr(channel), request = lookup.request](Answer&& answer) {
                      const auto to = weak.lock();
                      if (!to) return;
                      answer.request = request;
                      to->send(answer);
                    });
  return {};
}

void DnsService::drain(bool /*urgent*/) {
  // Whoever asked something here asks the successor again; no question changes anything.
  askers_.clear();
  context_.exit();
}

std::vector<control::Counter> DnsService::counters() {
  const auto& counts = resolver_.counts();
  return {{"lookups", counts.lookups},   {"coalesced", counts.coalesced}, {"queued", counts.queued},
          {"given_up", counts.given_up}, {"found", counts.found},         {"no_data", counts.no_data},
          {"no_name", counts.no_name},   {"bogus", counts.bogus},         {"unavailable", counts.unavailable},
          {"secure", counts.secure}};
}

}  // namespace sternpost::dns
