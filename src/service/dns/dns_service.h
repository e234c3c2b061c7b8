// The shell of dns: takes lookups on the askers' channels and answers them from one resolver with one cache.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "runtime/channel/channel.h"
#include "runtime/service.h"
#include "service/dns/protocol.h"
#include "service/dns/resolver.h"
#include "service/dns/unbound.h"

namespace sternpost::dns {

class DnsService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  /// Takes over `unbound`, which runs on the loop of `context`.
  DnsService(ServiceContext&& context, std::unique_ptr<Unbound> unbound, Milliseconds patience);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override;

 private:
  using AskerChannel = Channel<ToDns, FromDns>;

  Result<void> take(const std::shared_ptr<AskerChannel>& channel, const Lookup& lookup);

  ServiceContext context_;
  std::list<std::shared_ptr<AskerChannel>> askers_;
  // What unbound_ has open calls resolver_ back, so that it goes first.
  Resolver resolver_;
  std::unique_ptr<Unbound> unbound_;
};

}  // namespace sternpost::dns
