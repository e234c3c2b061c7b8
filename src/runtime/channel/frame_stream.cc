#include "runtime/channel/frame_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>

#include "runtime/channel/end_of_turn.h"

namespace sternpost {
namespace {

constexpr std::size_t kFirstRead = 4UL << 10U;
/// Reads are made larger up to here while they leave something behind: about what a socket pair holds.
constexpr std::size_t kLargestRead = 128UL << 10U;
/// A written buffer of up to this capacity serves for what is sent next: large blocks are dear to allocate.
constexpr std::size_t kKeptOutput = 256UL << 10U;
/// What one wake-up reads at most, so that one busy peer does not starve the others.
constexpr std::size_t kReadPerWakeup = 1UL << 20U;
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);
/// In one message to or from the kernel; FrameLimits::max_descriptors may not be more.
constexpr std::size_t kMostDescriptors = 64;

/// Bytes in, in order; the front is consumed frame by frame.
class InputBuffer {
 public:
  [[nodiscard]] std::string_view bytes() const { return {storage_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Room for at least `least` bytes behind what is there.
  std::pair<char*, std::size_t> room(std::size_t least) {
    if (capacity_ - end_ < least) make_room(least);
    return {storage_.get() + end_, capacity_ - end_};
  }
  void filled(std::size_t n) { end_ += n; }

 private:
  void make_room(std::size_t least) {
    const auto held = end_ - begin_;
    if (capacity_ < held + least) {
      const auto grown = std::max({kFirstRead, capacity_ * 2, held + least});
      auto bigger = std::make_unique_for_overwrite<char[]>(grown);
      if (held != 0) std::memcpy(bigger.get(), storage_.get() + begin_, held);
      storage_ = std::move(bigger);
      capacity_ = grown;
    } else if (held != 0) {
      std::memmove(storage_.get(), storage_.get() + begin_, held);
    }
    begin_ = 0;
    end_ = held;
  }

  std::unique_ptr<char[]> storage_;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

/// Bytes to write, with the descriptors that go with the first of them.
struct OutputChunk {
  std::string bytes;
  std::size_t written = 0;
  std::vector<SharedFd> descriptors;
};

}  // namespace

struct FrameStream::Impl : std::enable_shared_from_this<FrameStream::Impl> {
  Impl(boost::asio::io_context& loop_in, UniqueFd socket_in, FrameLimits limits_in,
       TrafficCounters& counters_in, Handlers handlers_in)
      : loop(loop_in),
        socket(loop_in, socket_in.release()),
        limits(limits_in),
        counters(counters_in),
        handlers(std::move(handlers_in)),
        flush_at_end(loop_in, [this] { flush(); }) {}

  void wait_readable();
  void read_all();
  struct Read {
    std::size_t bytes = 0;
    bool drained = false;  ///< nothing more was there
  };
  /// An error at the peer's end.
  Result<Read> read_some();
  Result<void> take_descriptors(msghdr& message);
  Result<void> deliver_frames();
  Result<bool> deliver_one();
  void begin_chunk();
  void drop_written_chunk();
  void flush();
  ssize_t write_chunk(OutputChunk& chunk);
  void end(Error why);

  boost::asio::io_context& loop;
  boost::asio::posix::stream_descriptor socket;
  FrameLimits limits;
  TrafficCounters& counters;
  Handlers handlers;
  EndOfTurn flush_at_end;
  InputBuffer input;
  std::size_t read_size = kFirstRead;
  std::deque<UniqueFd> descriptors_in;
  std::deque<OutputChunk> output;
  std::string kept_output;  // empty, with the capacity of what was written
  std::size_t unsent = 0;
  std::size_t frame_begin = 0;  // of the frame being gathered, in output.back()
  std::uint64_t fingerprint = 0;
  bool greeted = false;
  bool waiting_writable = false;
  bool closed = false;
  bool silenced = false;  // the owner closed it, and may be gone
};

FrameStream::FrameStream(boost::asio::io_context& loop, UniqueFd socket, std::uint64_t fingerprint,
                         FrameLimits limits, TrafficCounters& counters, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(socket), limits, counters, std::move(handlers))) {
  impl_->fingerprint = fingerprint;
  impl_->socket.native_non_blocking(true);
  impl_->output.emplace_back().bytes.assign(reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint));
  impl_->unsent = sizeof(fingerprint);
  impl_->flush_at_end.schedule();
  impl_->wait_readable();
}

FrameStream::~FrameStream() {
  close();
}

void FrameStream::close() {
  impl_->silenced = true;
  if (std::exchange(impl_->closed, true)) return;
  boost::system::error_code ignored;
  impl_->flush();
  impl_->socket.close(ignored);
}

bool FrameStream::closed() const {
  return impl_->closed;
}
std::size_t FrameStream::unsent() const {
  return impl_->unsent;
}

std::string* FrameStream::begin_frame(std::uint8_t type) {
  if (impl_->closed) return nullptr;
  // A chunk is dropped when all of it is written: one that is being written takes no more.
  if (impl_->output.empty() || impl_->output.back().written != 0) impl_->begin_chunk();
  auto& bytes = impl_->output.back().bytes;
  impl_->frame_begin = bytes.size();
  bytes.append(kLengthBytes, '\0');
  bytes.push_back(static_cast<char>(type));
  if (impl_->limits.max_descriptors > 0) bytes.push_back('\0');
  return &bytes;
}

void FrameStream::end_frame(std::vector<SharedFd> descriptors) {
  auto& impl = *impl_;
  auto& chunk = impl.output.back();
  const auto size = chunk.bytes.size() - impl.frame_begin;
  const auto length = static_cast<std::uint32_t>(size - kLengthBytes);
  std::memcpy(chunk.bytes.data() + impl.frame_begin, &length, kLengthBytes);
  impl.unsent += size;
  ++impl.counters.frames_out;
  if (descriptors.size() > impl.limits.max_descriptors) {
    return impl.end(Error{ErrorClass::internal, 0, "a frame of ours has more descriptors than its bound"});
  }
  if (!descriptors.empty()) {
    // Ancillary data belongs to the first byte of a write, so the frame gets a chunk of its own.
    OutputChunk own;
    own.bytes = chunk.bytes.substr(impl.frame_begin);
    chunk.bytes.resize(impl.frame_begin);
    own.bytes[kLengthBytes + 1] = static_cast<char>(descriptors.size());
    own.descriptors = std::move(descriptors);
    if (chunk.bytes.size() == chunk.written) impl.output.pop_back();
    impl.output.push_back(std::move(own));
    impl.output.emplace_back();
  }
  if (size > impl.limits.max_frame) {
    return impl.end(Error{ErrorClass::internal, 0, "a frame of ours is larger than its bound"});
  }
  if (impl.unsent > impl.limits.max_unsent) {
    return impl.end(Error{ErrorClass::temporary, 0, "the peer does not read"});
  }
  impl.flush_at_end.schedule();
}

void FrameStream::Impl::wait_readable() {
  socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      if (error || self->closed) return;
                      ++self->counters.wakeups;
                      self->read_all();
                      if (!self->closed) self->wait_readable();
                    });
}

void FrameStream::Impl::read_all() {
  for (std::size_t total = 0; total < kReadPerWakeup;) {
    const auto got = read_some();
    if (!got) return end(got.error());
    if (const auto delivered = deliver_frames(); !delivered) return end(delivered.error());
    if (descriptors_in.size() > limits.max_descriptors) {
      return end(Error{ErrorClass::peer, 0, "descriptors that no frame carries"});
    }
    if (got->drained || closed) return;
    total += got->bytes;
  }
}

Result<FrameStream::Impl::Read> FrameStream::Impl::read_some() {
  const auto [data, size] = input.room(read_size);
  iovec vector{data, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (limits.max_descriptors > 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  const auto got = ::recvmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return Read{0, true};
    return fail(ErrorClass::temporary, "the peer is gone", errno);
  }
  if (got == 0) return fail(ErrorClass::temporary, "the peer closed the channel");
  input.filled(static_cast<std::size_t>(got));
  if (const auto taken = take_descriptors(message); !taken) return std::unexpected(taken.error());
  // A read ends behind what came with descriptors, so there less than asked is not all.
  const auto bytes = static_cast<std::size_t>(got);
  const bool with_descriptors = message.msg_controllen != 0 || (message.msg_flags & MSG_CTRUNC) != 0;
  if (bytes == size) read_size = std::min(2 * read_size, kLargestRead);
  return Read{bytes, bytes < size && !with_descriptors};
}

Result<void> FrameStream::Impl::take_descriptors(msghdr& message) {
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors_in.emplace_back(fd);
    }
  }
  const bool cut_short = (message.msg_flags & MSG_CTRUNC) != 0;
  if (cut_short && limits.max_descriptors > 1) {
    return fail(ErrorClass::temporary, "descriptors came that this process has no room for");
  }
  // The one that there was no room for keeps its place, so that no other frame gets one that is not its own.
  if (cut_short) descriptors_in.emplace_back();
  // Those of a frame that is not whole yet, and of one behind it: a read ends behind what came with some.
  if (descriptors_in.size() > 2 * limits.max_descriptors) {
    return fail(ErrorClass::peer, "descriptors that no frame may carry");
  }
  return {};
}

Result<void> FrameStream::Impl::deliver_frames() {
  if (!greeted) {
    const auto bytes = input.bytes();
    if (bytes.size() < sizeof(fingerprint)) return {};
    if (std::memcmp(bytes.data(), &fingerprint, sizeof(fingerprint)) != 0) {
      return fail(ErrorClass::peer, "the peer speaks another protocol, or another version of it");
    }
    input.consume(sizeof(fingerprint));
    greeted = true;
  }
  while (!closed) {
    const auto more = deliver_one();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
  }
  return {};
}

Result<bool> FrameStream::Impl::deliver_one() {
  const auto bytes = input.bytes();
  std::uint32_t length = 0;
  if (bytes.size() < kLengthBytes) return false;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const std::size_t header = limits.max_descriptors > 0 ? 2 : 1;
  if (length < header || length + kLengthBytes > limits.max_frame) {
    return fail(ErrorClass::peer, "a frame of " + std::to_string(length) + " bytes");
  }
  if (bytes.size() < kLengthBytes + length) {
    input.room(kLengthBytes + length - bytes.size());
    return false;
  }
  const auto frame = bytes.substr(kLengthBytes, length);
  std::vector<UniqueFd> descriptors;
  if (header == 2) {
    const auto count = static_cast<unsigned char>(frame[1]);
    if (count > descriptors_in.size()) return fail(ErrorClass::peer, "a frame without its descriptors");
    std::move(descriptors_in.begin(), descriptors_in.begin() + count, std::back_inserter(descriptors));
    descriptors_in.erase(descriptors_in.begin(), descriptors_in.begin() + count);
  }
  ++counters.frames_in;
  const auto handled =
      handlers.on_frame(static_cast<std::uint8_t>(frame[0]), frame.substr(header), descriptors);
  if (!handled) return fail(ErrorClass::peer, handled.error().text);
  input.consume(kLengthBytes + length);
  return true;
}

void FrameStream::Impl::begin_chunk() {
  output.emplace_back().bytes = std::exchange(kept_output, {});
}

void FrameStream::Impl::drop_written_chunk() {
  auto& bytes = output.front().bytes;
  if (bytes.capacity() > kept_output.capacity() && bytes.capacity() <= kKeptOutput) {
    bytes.clear();
    kept_output = std::move(bytes);
  }
  output.pop_front();
}

void FrameStream::Impl::flush() {
  while (!output.empty()) {
    auto& chunk = output.front();
    if (chunk.written == chunk.bytes.size()) {
      drop_written_chunk();
      continue;
    }
    const auto sent = write_chunk(chunk);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      if (errno == EPIPE || errno == ECONNRESET) return;  // the read side reports the peer's end
      return end(Error{ErrorClass::temporary, errno, "writing to the peer"});
    }
    chunk.written += static_cast<std::size_t>(sent);
    chunk.descriptors.clear();
    unsent -= static_cast<std::size_t>(sent);
  }
  if (output.empty() || closed || std::exchange(waiting_writable, true)) return;
  socket.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                      self->waiting_writable = false;
                      if (!error && !self->closed) self->flush();
                    });
}

ssize_t FrameStream::Impl::write_chunk(OutputChunk& chunk) {
  iovec vector{chunk.bytes.data() + chunk.written, chunk.bytes.size() - chunk.written};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!chunk.descriptors.empty()) {
    const auto bytes = chunk.descriptors.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    auto* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(bytes);
    for (std::size_t i = 0; i < chunk.descriptors.size(); ++i) {
      const int fd = chunk.descriptors[i]->get();
      std::memcpy(CMSG_DATA(part) + i * sizeof(int), &fd, sizeof(int));
    }
  }
  ++counters.writes;
  return ::sendmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void FrameStream::Impl::end(Error why) {
  if (std::exchange(closed, true)) return;
  boost::system::error_code ignored;
  socket.close(ignored);
  boost::asio::post(loop, [self = shared_from_this(), why = std::move(why)] {
    if (self->silenced || !self->handlers.on_closed) return;
    const auto on_closed = std::move(self->handlers.on_closed);  // it may destroy the stream
    on_closed(why);
  });
}

}  // namespace sternpost
