#include "service/spool/content_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <tuple>
#include <utility>

#include "base/unique_fd.h"

namespace sternpost::spool_service {
namespace {

/// Files that share one sync of the folder; the first of them waits for the syncs of all.
constexpr std::size_t kMostAtOnce = 32;

}  // namespace

Result<std::unique_ptr<ContentThread>> ContentThread::start(boost::asio::io_context& loop, spool::Disk& disk,
                                                            Handlers handlers) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return fail_errno("making an event for content files");
  std::unique_ptr<ContentThread> one(new ContentThread(loop, disk, std::move(handlers), event.release()));
  try {
    one->thread_ = std::thread([self = one.get()] { self->run(); });
  } catch (const std::system_error& error) {
    return fail_errno("starting the thread for content files", error.code().value());
  }
  one->await_answers();
  return one;
}

ContentThread::ContentThread(boost::asio::io_context& loop, spool::Disk& disk, Handlers handlers, int event)
    : handlers_(std::move(handlers)), answered_(loop, event), disk_(disk) {}

ContentThread::~ContentThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  asked_.notify_one();
  thread_.join();
}

void ContentThread::ask(Request request) {
  if (!std::holds_alternative<Remove>(request.what)) ++unanswered_;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  asked_.notify_one();
}

void ContentThread::await_answers() {
  answered_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (error) return;
                         take_answers();
                         await_answers();
                       });
}

void ContentThread::take_answers() {
  std::uint64_t count = 0;
  std::ignore = ::read(answered_.native_handle(), &count, sizeof(count));
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(mutex_);
    answers.swap(answers_);
  }
  for (auto& [id, what] : answers) {
    --unanswered_;
    if (const auto* written = std::get_if<Written>(&what)) {
      handlers_.on_written(id, written->bytes, written->result);
    } else {
      handlers_.on_finished(id, std::move(std::get<Result<spool::ContentFile>>(what)));
    }
  }
}

void ContentThread::run() {
  for (;;) {
    std::deque<Request> requests;
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return ending_ || !requests_.empty(); });
      if (requests_.empty()) return;
      requests.swap(requests_);
    }
    work(std::move(requests));
  }
}

void ContentThread::work(std::deque<Request> requests) {
  std::vector<Answer> finished;
  for (; !requests.empty(); requests.pop_front()) {
    auto& [id, what] = requests.front();
    if (const auto* piece = std::get_if<Write>(&what)) {
      answer({{id, Written{piece->piece.size(), append(id, piece->piece)}}});
    } else if (const auto* last = std::get_if<Finish>(&what)) {
      finished.push_back({id, complete(id, last->last_piece)});
    } else {
      remove_file(id);
    }
    if (finished.size() == kMostAtOnce) answer_finished(std::exchange(finished, {}));
  }
  answer_finished(std::move(finished));
}

/// One sync of the folder makes the names of all of them durable.
void ContentThread::answer_finished(std::vector<Answer> finished) {
  if (finished.empty()) return;
  const auto named = disk_.sync_directory();
  for (auto& [id, what] : finished) {
    auto& file = std::get<Result<spool::ContentFile>>(what);
    if (named || !file) continue;
    file = std::unexpected(named.error());
    std::ignore = spool::remove_content(disk_, id);
  }
  answer(std::move(finished));
}

Result<void> ContentThread::append(QueueId id, std::string_view piece) {
  auto at = writers_.find(id);
  if (at == writers_.end()) at = writers_.emplace(id, spool::ContentWriter::create(disk_, id)).first;
  auto& writer = at->second;
  if (!writer) return std::unexpected(writer.error());
  auto written = writer->append(piece);
  if (!written) {
    writer = std::unexpected(written.error());
    std::ignore = spool::remove_content(disk_, id);
  }
  return written;
}

Result<spool::ContentFile> ContentThread::complete(QueueId id, std::string_view last_piece) {
  auto written = append(id, last_piece);
  auto node = writers_.extract(id);
  if (!written) return fail_with(std::move(written));
  auto file = node.mapped()->finish();
  if (!file) std::ignore = spool::remove_content(disk_, id);
  return file;
}

void ContentThread::remove_file(QueueId id) {
  const auto node = writers_.extract(id);
  if (node && !node.mapped()) return;
  std::ignore = spool::remove_content(disk_, id);
}

void ContentThread::answer(std::vector<Answer> answers) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& one : answers) answers_.push_back(std::move(one));
  }
  constexpr std::uint64_t kOne = 1;
  std::ignore = ::write(answered_.native_handle(), &kOne, sizeof(kOne));  // fails only where it is up already
}

}  // namespace sternpost::spool_service
