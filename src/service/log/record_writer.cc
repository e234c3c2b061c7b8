#include "service/log/record_writer.h"

#include <fmt/format.h>

#include "runtime/record_text.h"

namespace sternpost::logging {
namespace {

LogFile::Limits limits_of(const config::LogSlice& slice) {
  return {slice.max_file_bytes, slice.keep_files};
}

}  // namespace

RecordWriter::RecordWriter(int folder, const config::LogSlice& slice)
    : text_(slice.text),
      history_(folder, "history.jsonl", limits_of(slice)),
      mail_log_(folder, "mail.log", limits_of(slice)) {}

void RecordWriter::set_limits(const config::LogSlice& slice) {
  text_ = slice.text;
  history_.set_limits(limits_of(slice));
  mail_log_.set_limits(limits_of(slice));
}

bool RecordWriter::gather(const Record& record) {
  line_.clear();
  append_json_line(line_, record);
  if (!history_.append(line_)) return false;
  ++written_;
  if (text_) {
    line_.clear();
    append_log_line(line_, record);
    // The history has the record; a full mail.log loses only its line.
    mail_log_.append(line_);
  }
  return true;
}

void RecordWriter::write(const Record& record) {
  if (gather(record)) return;
  ++dropped_;
  ++unreported_;
}

Result<void> RecordWriter::flush(WallTime now) {
  auto history = history_.flush();
  if (history && unreported_ != 0) {
    Record record;
    record.at = now;
    record.by = Compartment::log;
    record.decision = Decision::dropped;
    record.facts = {{"records", fmt::format("{}", unreported_)}};
    record.outcome = "records were lost because the disk did not take them";
    unreported_ = 0;
    gather(record);
    history = history_.flush();
  }
  auto mail_log = mail_log_.flush();
  if (!history || !mail_log) ++failures_;
  return history ? std::move(mail_log) : std::move(history);
}

std::vector<control::Counter> RecordWriter::counters() const {
  return {{"records_written", written_},
          {"records_dropped", dropped_},
          {"write_failures", failures_},
          {"octets_waiting", history_.pending() + mail_log_.pending()}};
}

}  // namespace sternpost::logging
