#include "runtime/service.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <span>

#include "runtime/channel/channel.h"
#include "runtime/peer_watch.h"
#include "runtime/record_channel.h"
#include "runtime/run_loop.h"
#include "runtime/sandbox.h"
#include "runtime/slice_file.h"

namespace sternpost {
namespace {

constexpr int kControlDescriptor = 3;
constexpr int kExitFailed = 1;
constexpr int kExitLostMaster = 75;
constexpr Milliseconds kFlushInterval{5};
constexpr int kFlushTries = 200;  // one second in all: log must not keep a process alive

/// The life of one compartment, from Start to its end.
class Skeleton {
 public:
  explicit Skeleton(const ServiceSpec& spec)
      : spec_(spec),
        records_(loop_, traffic_, spec.self),
        flush_timer_(loop_),
        peer_watch_(loop_, [this](Compartment row) { peer_lost(row); }),
        control_(loop_, UniqueFd(kControlDescriptor),
                 fingerprint<control::ToService>() ^ fingerprint<control::FromService>(),
                 FrameLimits{.max_frame = control::kMaxFrame, .max_descriptors = control::kMaxDescriptors},
                 traffic_,
                 {[this](std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors) {
                    return on_frame(type, payload, descriptors);
                  },
                  [this](const Error&) { end(kExitLostMaster); }}) {}

  int run() {
    run_loop(loop_);
    return exit_status_;
  }

 private:
  Result<void> on_frame(std::uint8_t type, std::string_view payload, std::vector<UniqueFd>& descriptors);
  Result<void> on(control::Start& start, std::vector<UniqueFd>& descriptors);
  Result<void> on(control::Peer& peer, std::vector<UniqueFd>& descriptors);
  Result<void> on(control::NewSlice& slice, std::vector<UniqueFd>& descriptors);
  Result<void> on(control::Drain& drain, std::vector<UniqueFd>& descriptors);
  Result<void> on(control::QueryCounters& query, std::vector<UniqueFd>& descriptors);
  template <class Answer>
  Result<void> on(Answer& answer, std::vector<UniqueFd>& descriptors);

  Result<void> begin(control::Start& start, std::vector<UniqueFd>& descriptors);
  ServiceContext context(const control::Start& start, std::string slice, std::vector<UniqueFd> folders,
                         std::vector<UniqueFd> listeners);
  void tell(const control::FromService& frame, std::vector<SharedFd> descriptors = {});
  void channel_closed(Compartment row, const Error& why, bool last);
  void peer_lost(Compartment row);
  void give_up(std::string why);
  void finish();
  void end(int status);

  const ServiceSpec& spec_;
  boost::asio::io_context loop_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  TrafficCounters traffic_;
  RecordChannel records_;
  boost::asio::steady_timer flush_timer_;
  PeerWatch peer_watch_;
  FrameStream control_;
  std::unique_ptr<Service> service_;
  UniqueFd empty_root_;
  std::uint64_t max_descriptors_ = 0;
  int flush_tries_ = 0;
  int exit_status_ = 0;
};

Result<void> Skeleton::on_frame(std::uint8_t type, std::string_view payload,
                                std::vector<UniqueFd>& descriptors) {
  if (exit_status_ != 0) return {};  // it has given up, and says why; Peer frames may follow still
  auto frame = decode_frame<control::ToService>(type, payload);
  if (!frame) return fail(ErrorClass::peer, "malformed control frame");
  return std::visit([&](auto& alternative) { return on(alternative, descriptors); }, *frame);
}

Result<void> Skeleton::on(control::Start& start, std::vector<UniqueFd>& descriptors) {
  if (service_) return fail(ErrorClass::peer, "a second Start");
  if (const auto begun = begin(start, descriptors); !begun) give_up(begun.error().text);
  return {};
}

Result<void> Skeleton::begin(control::Start& start, std::vector<UniqueFd>& descriptors) {
  const auto& folders = start.confinement.folders;
  if (descriptors.size() != 2 + folders.size() + start.listeners) {
    return fail(ErrorClass::peer, "Start without its descriptors");
  }
  auto slice = read_slice_file(descriptors[0].get());
  if (!slice) return fail_with(std::move(slice));
  empty_root_ = std::move(descriptors[1]);
  const auto first_listener = descriptors.begin() + 2 + static_cast<std::ptrdiff_t>(folders.size());
  std::vector<UniqueFd> folder_fds(std::make_move_iterator(descriptors.begin() + 2),
                                   std::make_move_iterator(first_listener));
  std::vector<UniqueFd> listeners(std::make_move_iterator(first_listener),
                                  std::make_move_iterator(descriptors.end()));
  descriptors.clear();

  peer_watch_.set_grace(Milliseconds(start.peer_grace_ms));
  if (spec_.before_confinement) {
    if (auto done = spec_.before_confinement(); !done) return done;
  }
  rlimit descriptor_limit{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptor_limit) != 0)
    return fail_errno("reading the limit of descriptors");
  max_descriptors_ = std::min<std::uint64_t>(descriptor_limit.rlim_max, start.confinement.max_descriptors);
  ConfinementDescriptors confinement_descriptors{empty_root_.get(), {}};
  for (const auto& fd : folder_fds) confinement_descriptors.folders.push_back(fd.get());
  auto layers = confine(start.confinement, confinement_descriptors);
  empty_root_.reset();
  if (!layers) return fail_with(std::move(layers), "confinement");

  auto service = spec_.make(context(start, std::move(*slice), std::move(folder_fds), std::move(listeners)));
  if (!service) return fail_with(std::move(service));
  service_ = std::move(*service);
  tell(control::Ready{std::move(*layers)});
  return {};
}

ServiceContext Skeleton::context(const control::Start& start, std::string slice,
                                 std::vector<UniqueFd> folders, std::vector<UniqueFd> listeners) {
  return ServiceContext{
      .loop = loop_,
      .instance = start.instance,
      .slice = std::move(slice),
      .folders = std::move(folders),
      .listeners = std::move(listeners),
      .initial_peers = start.peers,
      .records = records_,
      .traffic = traffic_,
      .retire = [this](std::string why) { tell(control::Retire{std::move(why)}); },
      .exit = [this] { finish(); },
      .channel_closed = [this](Compartment row, const Error& why,
                               bool last) { channel_closed(row, why, last); },
      .tell_master = [this](const control::FromService& frame) { tell(frame); },
      .tell_master_with = [this](const control::FromService& frame,
                                 SharedFd fd) { tell(frame, {std::move(fd)}); },
      .max_descriptors = max_descriptors_,
      .control_group = start.control_group,
  };
}

Result<void> Skeleton::on(control::Peer& peer, std::vector<UniqueFd>& descriptors) {
  if (!service_ || descriptors.size() != 1) return fail(ErrorClass::peer, "Peer out of place");
  if (peer.row == Compartment::log && spec_.self != Compartment::log) {
    records_.connect(std::move(descriptors[0]));
  } else {
    peer_watch_.came(peer.row);
    service_->peer(peer.row, peer.instance, std::move(descriptors[0]));
  }
  return {};
}

Result<void> Skeleton::on(control::NewSlice& slice, std::vector<UniqueFd>& descriptors) {
  if (!service_ || descriptors.size() != 1) return fail(ErrorClass::peer, "NewSlice out of place");
  control::SliceAnswer answer{slice.generation, {}};
  const auto bytes = read_slice_file(descriptors[0].get());
  if (!bytes) {
    answer.refused = bytes.error().text;
  } else if (const auto taken = service_->new_slice(*bytes, slice.commit); !taken) {
    answer.refused = taken.error().text;
  }
  tell(answer);
  return {};
}

Result<void> Skeleton::on(control::Drain& drain, std::vector<UniqueFd>&) {
  if (!service_) return fail(ErrorClass::peer, "Drain before Start");
  service_->drain(drain.urgent);
  return {};
}

Result<void> Skeleton::on(control::QueryCounters& query, std::vector<UniqueFd>&) {
  control::Counters answer{query.request,
                           {{"wakeups", traffic_.wakeups},
                            {"frames_in", traffic_.frames_in},
                            {"frames_out", traffic_.frames_out},
                            {"writes", traffic_.writes}}};
  if (service_) {
    for (auto& counter : service_->counters()) answer.counters.push_back(std::move(counter));
  }
  tell(answer);
  return {};
}

template <class Answer>
Result<void> Skeleton::on(Answer& answer, std::vector<UniqueFd>& descriptors) {
  if (!service_) return fail(ErrorClass::peer, "an answer before Start");
  service_->from_master(std::move(answer), std::move(descriptors));
  return {};
}

void Skeleton::tell(const control::FromService& frame, std::vector<SharedFd> descriptors) {
  std::visit(
      [&](const auto& alternative) {
        control_.send(
            static_cast<std::uint8_t>(frame.index()),
            [&](std::string& out) { Encoder(out).put(alternative); }, std::move(descriptors));
      },
      frame);
}

void Skeleton::channel_closed(Compartment row, const Error& why, bool last) {
  if (why.what_to_do != ErrorClass::temporary) {
    records_.record({.decision = Decision::violation,
                     .facts = {{"peer", std::string(to_string(row))}},
                     .outcome = why.text});
  }
  if (last) peer_watch_.gone(row);
}

void Skeleton::peer_lost(Compartment row) {
  if (!service_->peer_lost(row)) give_up("the channel to " + std::string(to_string(row)) + " is lost");
}

void Skeleton::give_up(std::string why) {
  tell(control::Failed{std::move(why)});
  exit_status_ = kExitFailed;
  finish();
}

/// Ends the process when what it has to say is written, or after kFlushTries.
void Skeleton::finish() {
  if ((records_.idle() && control_.unsent() == 0 && flush_tries_ > 0) || flush_tries_ >= kFlushTries) {
    return end(exit_status_);
  }
  ++flush_tries_;
  flush_timer_.expires_after(kFlushInterval);
  flush_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) finish();
  });
}

void Skeleton::end(int status) {
  exit_status_ = status;
  loop_.stop();
}

/// Ctrl-C and a stop of the whole group reach master, which drains; the compartments are told by it.
void ignore_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
}

}  // namespace

int run_service(const ServiceSpec& spec) {
  ignore_signals();
  Skeleton skeleton(spec);
  return skeleton.run();
}

}  // namespace sternpost
