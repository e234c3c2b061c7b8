#include "delivery/deliverer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>
#include <utility>

#include "delivery/content.h"
#include "delivery/deferral.h"
#include "delivery/loop.h"

namespace sternpost::delivery {

std::vector<DeliveryResult> Deliverer::deliver(std::span<const Delivery> batch) {
  std::vector<DeliveryResult> results(batch.size());
  for (std::size_t from = 0; from < batch.size(); from += kMaxGroup) {
    const auto count = std::min(kMaxGroup, batch.size() - from);
    deliver_group(batch.subspan(from, count), std::span(results).subspan(from, count));
  }
  return results;
}

void Deliverer::deliver_group(std::span<const Delivery> group, std::span<DeliveryResult> results) {
  std::vector<Progress> progress;
  progress.reserve(group.size());
  const bool alone = group.size() == 1;
  for (const auto& delivery : group) progress.push_back(begin(delivery, alone));

  auto any = [&](Stage stage) {
    return std::any_of(progress.begin(), progress.end(), [&](const auto& p) { return p.stage == stage; });
  };
  // fsync of a file says nothing about folders that were made on its way.
  const bool by_itself =
      alone && progress.front().stage != Stage::done && progress.front().maildir->known_durable;
  if (!by_itself && any(Stage::written)) sync_devices(progress, "syncing the mailbox files");
  commit_names(progress);
  if (by_itself) {
    sync_folder(progress.front());
  } else if (any(Stage::in_new) || any(Stage::found)) {
    sync_devices(progress, "syncing the mailbox folders");
    for (auto& one : progress) {
      if (one.stage != Stage::done) one.maildir->known_durable = true;
    }
  }

  for (std::size_t i = 0; i < group.size(); ++i) {
    auto& result = progress[i].result;
    if (progress[i].stage != Stage::done) {
      result.disposition = mail::Disposition::delivered;
      result.reply = {250, {2, 1, 5}, result.found_earlier ? "delivered by an earlier attempt" : "delivered"};
    } else if (result.disposition == mail::Disposition::deferred) {
      maildirs_.forget(group[i].folder);
    }
    results[i] = std::move(result);
  }
}

Deliverer::Progress Deliverer::begin(const Delivery& delivery, bool sync_now) {
  Progress progress;
  const auto header = read_header(*delivery.content, buffer_);
  if (!header) {
    progress.result.reply = header.error();
    return progress;
  }
  if (auto loop = find_loop(*header, delivery.address)) {
    progress.result.disposition = mail::Disposition::failed;
    progress.result.reply = std::move(*loop);
    return progress;
  }
  auto maildir = maildirs_.open(delivery.folder);
  if (!maildir) {
    progress.result.reply = deferral(maildir.error(), "opening the mailbox");
    return progress;
  }
  progress.maildir = std::move(*maildir);
  progress.result.file = maildir_file_name(delivery.arrival, delivery.id, delivery.recipient, hostname_);
  const auto earlier = find_earlier(delivery, progress);
  if (!earlier) {
    progress.result.reply = deferral(earlier.error(), "reading the mailbox");
    return progress;
  }
  if (*earlier) {
    progress.result.found_earlier = true;
    progress.stage = Stage::found;
    return progress;
  }
  const auto written = write_tmp(delivery, progress, sync_now && progress.maildir->known_durable);
  if (!written) {
    std::ignore = files_.remove(progress.maildir->tmp_dir.get(), progress.result.file);
    progress.result.reply = written.error();
    return progress;
  }
  progress.stage = Stage::written;
  return progress;
}

FileResult<bool> Deliverer::find_earlier(const Delivery& delivery, Progress& progress) {
  const auto& maildir = *progress.maildir;
  const auto in_new = files_.exists(maildir.new_dir.get(), progress.result.file);
  if (!in_new || *in_new) return in_new;
  const auto changed = files_.modified(maildir.cur_dir.get());
  if (!changed) return std::unexpected(changed.error());
  if (*changed + kClockSlack < delivery.arrival) return false;
  const auto in_cur = files_.has_flagged(maildir.cur_dir.get(), progress.result.file);
  progress.found_in_cur = in_cur && *in_cur;
  return in_cur;
}

Written Deliverer::write_tmp(const Delivery& delivery, const Progress& progress, bool sync_now) {
  const auto created = create_tmp(progress);
  if (!created) return std::unexpected(deferral(created.error(), kWriting));
  const OpenHandle file(files_, *created);
  const auto prefix = fmt::format("Return-Path: {}\nDelivered-To: {}\n", mail::to_path(delivery.reverse_path),
                                  delivery.address.to_wire());
  if (auto written = write_message(files_, file.get(), prefix, *delivery.content, buffer_); !written) {
    return written;
  }
  if (!sync_now) return {};
  const auto synced = files_.sync(file.get());
  if (!synced) return std::unexpected(deferral(synced.error(), kWriting));
  return {};
}

FileResult<Handle> Deliverer::create_tmp(const Progress& progress) {
  const auto tmp = progress.maildir->tmp_dir.get();
  const auto& name = progress.result.file;
  auto created = files_.create(tmp, name);
  if (created || created.error().value != EEXIST) return created;
  // Left by an attempt that was cut off; nobody else has this name.
  if (auto removed = files_.remove(tmp, name); !removed) return std::unexpected(removed.error());
  return files_.create(tmp, name);
}

void Deliverer::commit_names(std::span<Progress> group) {
  for (auto& progress : group) {
    if (progress.stage != Stage::written) continue;
    const auto& maildir = *progress.maildir;
    const auto renamed = files_.rename(maildir.tmp_dir.get(), progress.result.file, maildir.new_dir.get());
    if (renamed) {
      progress.stage = Stage::in_new;
    } else {
      take_back(progress, renamed.error(), "moving the message into the mailbox");
    }
  }
}

void Deliverer::sync_folder(Progress& only) {
  if (only.stage == Stage::done) return;
  const auto& maildir = *only.maildir;
  const auto synced = files_.sync(only.found_in_cur ? maildir.cur_dir.get() : maildir.new_dir.get());
  if (!synced) take_back(only, synced.error(), "syncing the mailbox folders");
}

void Deliverer::sync_devices(std::span<Progress> group, std::string_view what) {
  // The first handle on a file system is older than all that the group wrote there, so it hears of every
  // error. One from before the group, which another handle told already, costs a deferral.
  std::map<std::uint64_t, Handle> oldest;
  for (const auto& progress : group) {
    if (progress.maildir) oldest.try_emplace(progress.maildir->device, progress.maildir->new_dir.get());
  }
  std::map<std::uint64_t, FileResult<void>> synced;
  for (auto& progress : group) {
    if (progress.stage == Stage::done) continue;
    const auto device = progress.maildir->device;
    const auto [at, first] = synced.try_emplace(device);
    if (first) {
      at->second = files_.sync_all(oldest.at(device));
      if (!at->second) maildirs_.forget_device(device);
    }
    if (!at->second) take_back(progress, at->second.error(), what);
  }
}

void Deliverer::take_back(Progress& progress, Errno error, std::string_view what) {
  if (progress.stage == Stage::written) {
    std::ignore = files_.remove(progress.maildir->tmp_dir.get(), progress.result.file);
  } else if (progress.stage == Stage::in_new) {
    std::ignore = files_.remove(progress.maildir->new_dir.get(), progress.result.file);
  }
  progress.stage = Stage::done;
  progress.result.found_earlier = false;
  progress.result.reply = deferral(error, what);
}

}  // namespace sternpost::delivery
