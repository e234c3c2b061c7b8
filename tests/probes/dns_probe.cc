// dns_probe: starts the compartment dns as master does, confined by its row of the plan, asks it and prints
// each answer as a line of JSON, in the order of the lookups, and last a line with its counters and layers.
//
// Lookups are "mx:NAME" and "address:NAME"; all are asked at once.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/network.h"
#include "runtime/channel/channel.h"
#include "runtime/json_text.h"
#include "runtime/slice_file.h"
#include "service/dns/protocol.h"
#include "service/master/confinement.h"
#include "service/master/process.h"
#include "service/master/trust_anchor.h"

namespace sternpost {
namespace {

struct Arguments {
  std::string programs;
  std::string trust_anchor = "/usr/share/dns/root.key";
  std::vector<std::string> servers;
  std::vector<std::string> lookups;
  std::uint32_t timeout = 30;
};

constexpr std::uint64_t kCache = 4UL << 20U;
constexpr std::array kOutcomes = {"found", "no_data", "no_name", "unavailable", "bogus"};

void print(const std::string& lookup, const dns::Answer& answer) {
  std::string line;
  JsonWriter json(line);
  json.begin_object();
  json.key("lookup").value(lookup);
  json.key("outcome").value(kOutcomes.at(static_cast<std::size_t>(answer.outcome)));
  json.key("secure").value(answer.secure);
  json.key("ttl").value(answer.ttl);
  json.key("canonical").value(answer.canonical);
  json.key("why").value(answer.why);
  json.key("mx").begin_array();
  for (const auto& mx : answer.mx) json.value(fmt::format("{} {}", mx.preference, mx.host));
  json.end_array().key("addresses").begin_array();
  for (const auto& address : answer.addresses) json.value(address);
  json.end_array().end_object();
  fmt::print("{}\n", line);
}

class Probe {
 public:
  explicit Probe(Arguments arguments) : arguments_(std::move(arguments)) {}

  Result<void> run() {
    auto launcher = Launcher::make(arguments_.programs);
    if (!launcher) return fail_with(std::move(launcher));
    auto launched = launcher->launch(Compartment::dns);
    if (!launched) return fail_with(std::move(launched));
    process_ = std::make_unique<Process>(
        loop_, traffic_, Compartment::dns, 1, 1, std::move(*launched),
        Process::Handlers{[this](Process&, control::FromService&& frame, std::vector<UniqueFd>&) {
                            on_frame(std::move(frame));
                          },
                          [this](Process&, const std::string& how) { end("dns ended: " + how); }});
    if (auto done = start(*launcher); !done) return done;
    if (auto done = connect(); !done) return done;
    loop_.run();
    if (!failure_.empty()) return fail(ErrorClass::internal, failure_);
    for (std::size_t i = 0; i < arguments_.lookups.size(); ++i) print(arguments_.lookups[i], answers_.at(i));
    fmt::print("{}\n", summary_);
    return {};
  }

 private:
  Result<void> start(const Launcher& launcher) {
    config::MasterSlice settings;
    settings.trust_anchor = arguments_.trust_anchor;
    config::DnsSlice slice{.servers = {}, .cache_bytes = kCache, .timeout_seconds = arguments_.timeout};
    std::set<std::uint16_t> ports;
    for (const auto& text : arguments_.servers) {
      const auto server = config::parse_endpoint(text);
      if (!server) return fail(ErrorClass::permanent, text + " is no address with a port");
      slice.servers.push_back(*server);
      ports.insert(server->port);
    }
    settings.dns_ports.assign(ports.begin(), ports.end());
    const auto& row = plan_row(Compartment::dns);
    const auto anchor = open_trust_anchor(launcher, settings);
    const auto file = make_slice_file(encode(slice));
    const auto empty_root = open_nameless_directory();
    if (!anchor) return std::unexpected(anchor.error());
    if (!file) return std::unexpected(file.error());
    if (!empty_root) return std::unexpected(empty_root.error());
    control::Start frame;
    frame.confinement =
        confinement_of(row, ::geteuid() == 0, kDefaultUidBase, {}, false, tcp_ports_of(row, settings));
    process_->send_copies(frame, {file->get(), empty_root->get(), anchor->get()});
    return {};
  }

  Result<void> connect() {
    auto pair = make_channel_pair();
    if (!pair) return fail_with(std::move(pair));
    process_->send(control::Peer{Compartment::router, 1}, {to_shared(std::move(pair->second))});
    channel_ = std::make_unique<Channel<dns::FromDns, dns::ToDns>>(
        loop_, std::move(pair->first), FrameLimits{.max_frame = dns::kMaxFrame}, traffic_,
        Channel<dns::FromDns, dns::ToDns>::Handlers{
            .on_frame = [this](dns::FromDns&& frame) -> Result<void> {
              on_answer(std::move(std::get<dns::Answer>(frame)));
              return {};
            },
            .on_closed = [this](const Error& why) { closed(why.text); }});
    for (std::size_t i = 0; i < arguments_.lookups.size(); ++i) {
      const auto& text = arguments_.lookups[i];
      const auto colon = text.find(':');
      const auto kind = text.substr(0, colon) == "mx" ? dns::Kind::mx : dns::Kind::address;
      channel_->send(dns::Lookup{i, kind, colon == std::string::npos ? "" : text.substr(colon + 1)});
    }
    return {};
  }

  void on_answer(dns::Answer&& answer) {
    answers_.insert_or_assign(answer.request, std::move(answer));
    if (answers_.size() == arguments_.lookups.size()) process_->send(control::QueryCounters{1});
  }

  void on_frame(control::FromService&& frame) {
    std::visit(Overloaded{[&](control::Failed& failed) { failure_ = failed.why; },
                          [&](control::Ready& ready) { layers_ = std::move(ready.layers); },
                          [&](control::Counters& counters) { summarize(counters); }, [](auto&) {}},
               frame);
  }

  void summarize(const control::Counters& counters) {
    JsonWriter json(summary_);
    json.begin_object().key("layers").begin_array();
    for (const auto& layer : layers_) json.value(layer);
    json.end_array();
    for (const auto& counter : counters.counters) json.key(counter.name).value(counter.value);
    json.end_object();
    loop_.stop();
  }

  /// Where dns ends, it has told why, and that it ended comes next.
  void closed(const std::string& why) {
    timer_.expires_after(Seconds(1));
    timer_.async_wait([this, why](const auto&) { end("the channel closed: " + why); });
  }

  void end(const std::string& why) {
    if (failure_.empty()) failure_ = why;
    loop_.stop();
  }

  Arguments arguments_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_{loop_};
  TrafficCounters traffic_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Channel<dns::FromDns, dns::ToDns>> channel_;
  std::map<std::uint64_t, dns::Answer> answers_;
  std::vector<std::string> layers_;
  std::string summary_;
  std::string failure_;
};

}  // namespace
}  // namespace sternpost

int main(int argc, char** argv) {
  sternpost::Arguments arguments;
  CLI::App app("asks the compartment dns", "dns_probe");
  app.add_option("--programs", arguments.programs, "the folder libexec/sternpost")->required();
  app.add_option("--trust-anchor", arguments.trust_anchor, "the file of DNSSEC's keys");
  app.add_option("--server", arguments.servers, "ADDRESS:PORT of a recursive server")
      ->allow_extra_args(false);
  app.add_option("--timeout", arguments.timeout, "seconds that a lookup may take");
  app.add_option("lookup", arguments.lookups, "mx:NAME or address:NAME")->required();
  CLI11_PARSE(app, argc, argv);
  const auto done = sternpost::Probe(std::move(arguments)).run();
  if (done) return 0;
  fmt::print(stderr, "dns_probe: {}\n", done.error().text);
  return 1;
}
