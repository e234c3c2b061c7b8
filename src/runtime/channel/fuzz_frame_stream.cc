// Any bytes from a peer, in any pieces: a stream ends itself or waits for more, and hands out nothing beyond
// its bounds. The first byte of the input says whether frames carry descriptors and the greeting is given;
// the others are pieces, each after a byte for its length.
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/channel/frame_stream.h"

using namespace sternpost;

namespace {

constexpr std::uint64_t kFingerprint = 0x5374'6572'6E70'6F73;
constexpr std::size_t kMaxFrame = 512;

class Peer {
 public:
  Peer(bool with_descriptors, bool greets) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    mine_.reset(ends[0]);
    stream_ = std::make_unique<FrameStream>(
        loop_, UniqueFd(ends[1]), kFingerprint,
        FrameLimits{.max_frame = kMaxFrame, .max_descriptors = with_descriptors ? 4UL : 0UL}, counters_,
        FrameStream::Handlers{[](std::uint8_t type, std::string_view payload,
                                 std::vector<UniqueFd>& descriptors) -> Result<void> {
                                if (payload.size() >= kMaxFrame || !descriptors.empty()) std::abort();
                                if (type == 0xFF) return fail(ErrorClass::peer, "refused");
                                return {};
                              },
                              [this](const Error& why) {
                                if (why.text.empty() || closed_) std::abort();
                                closed_ = true;
                              }});
    if (greets) send({reinterpret_cast<const char*>(&kFingerprint), sizeof(kFingerprint)});
  }

  void send(std::string_view bytes) {
    if (stream_->closed()) return;
    if (::send(mine_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) std::abort();
    turn();
  }

  void end() {
    mine_.reset();
    turn();
    if (!closed_ || !stream_->closed()) std::abort();
  }

 private:
  void turn() {
    loop_.restart();
    loop_.poll();
  }

  boost::asio::io_context loop_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  TrafficCounters counters_;
  UniqueFd mine_;
  bool closed_ = false;
  std::unique_ptr<FrameStream> stream_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Peer peer((data[0] & 1U) != 0, (data[0] & 2U) != 0);
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (!rest.empty()) {
    const auto piece = rest.substr(1, static_cast<unsigned char>(rest[0]) + 1UL);
    rest.remove_prefix(1 + piece.size());
    if (!piece.empty()) peer.send(piece);
  }
  peer.end();
  return 0;
}
