// The agent's questions to dns: each is answered once, whatever becomes of the channel.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "runtime/channel/channel.h"
#include "runtime/service.h"
#include "service/dns/protocol.h"

namespace sternpost::smtp_client {

class DnsLink {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Answered = std::function<void(dns::Answer&&)>;

  /// How long an answer may take, the restart of dns included.
  static constexpr std::chrono::seconds kPatience{dns::kAskersPatience};

  explicit DnsLink(ServiceContext& context) : context_(context) {}

  void connect(UniqueFd socket);
  void disconnect() { channel_.reset(); }
  /// Asks for the addresses of a host; `answered` is called from the loop, never from here.
  void ask(const std::string& host, Answered answered, Time now);
  /// What took too long is answered as unavailable.
  void sweep(Time now);
  [[nodiscard]] bool idle() const { return asked_.empty(); }

 private:
  using DnsChannel = Channel<dns::FromDns, dns::ToDns>;
  struct Asked {
    std::string host;
    Answered answered;
    Time since;
  };

  Result<void> take(dns::Answer&& answer);

  ServiceContext& context_;
  std::unique_ptr<DnsChannel> channel_;
  std::map<std::uint64_t, Asked> asked_;
  std::uint64_t next_ = 1;
};

}  // namespace sternpost::smtp_client
