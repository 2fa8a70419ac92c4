#include "stream/row_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "stream/chunk_series.h"
#include "stream/sha256.h"

namespace freshet {

namespace {

struct Question {
  std::uint64_t position = 0;
  Millis time = 0;
};

const std::string kQuestions = "questions";
const std::string kRows = "rows";
const std::string kVectors = "vectors:";
const std::string kAnswers = "answers:";

class SqliteRowStore : public RowStore {
 public:
  SqliteRowStore(const std::string& path, bool read_only)
      : path_(path), read_only_(read_only), file_(path, read_only) {
    for (const ChunkFile::SeriesRecord& record : file_.series()) adopt(record);
  }

  void set_columns(std::vector<FeatureColumn> columns) {
    columns_ = std::move(columns);
    for (const FeatureColumn& column : columns_) {
      vectors_.push_back(&ensure(kVectors + column.identity, column.width * sizeof(float), 0));
    }
    questions_ = &ensure(kQuestions, sizeof(Question), 0);
    rows_ = &ensure(kRows, sizeof(Row), 0);
  }

  void find_columns() {
    for (auto& [name, series] : series_) {
      if (!name.starts_with(kVectors)) continue;
      columns_.push_back({name.substr(kVectors.size()), series.record_bytes() / sizeof(float)});
      vectors_.push_back(&series);
    }
    const auto questions = series_.find(kQuestions);
    const auto rows = series_.find(kRows);
    if (questions == series_.end() || rows == series_.end()) {
      throw Error(ErrorKind::not_found, fmt::format("{}: no rows were stored yet", path_));
    }
    questions_ = &questions->second;
    rows_ = &rows->second;
  }

  const std::vector<FeatureColumn>& columns() const override { return columns_; }

  void add_column(const FeatureColumn& column, std::uint64_t first,
                  const std::function<void(std::uint64_t, std::span<float>)>& vector_of) override {
    const std::string name = kVectors + column.identity;
    const auto left_over = series_.find(name);
    if (left_over != series_.end() && left_over->second.end() < first) {
      file_.remove_series(left_over->second.id());
      series_.erase(left_over);
    }
    ChunkSeries& series = ensure(name, column.width * sizeof(float), first);
    std::vector<float> vector(column.width);
    for (std::uint64_t question = series.end(); question < questions(); ++question) {
      vector_of(question, vector);
      series.append(vector.data(), 1);
    }
    columns_.push_back(column);
    vectors_.push_back(&series);
  }

  std::uint64_t questions() const override { return questions_->end(); }

  std::uint64_t ask(std::uint64_t position, Millis time,
                    std::span<const std::span<const float>> vectors) override {
    const Question question{position, time};
    questions_->append(&question, 1);
    for (std::size_t i = 0; i < vectors_.size(); ++i) vectors_[i]->append(vectors[i].data(), 1);
    return questions_->end() - 1;
  }

  void read_vectors(std::size_t column, std::uint64_t begin, std::uint64_t end,
                    float* out) override {
    vectors_.at(column)->read(begin, end, out);
  }

  std::uint64_t position(std::uint64_t question) override { return question_at(question).position; }
  Millis time(std::uint64_t question) override { return question_at(question).time; }

  std::vector<std::uint64_t> rewrite(
      std::span<const std::uint64_t> positions,
      const std::function<std::span<const std::span<const float>>(Millis)>& vectors_of) override {
    remove_unused_columns();
    std::vector<std::uint64_t> found;
    for (const std::uint64_t position : positions) {
      const auto number = stored_question(position);
      if (!number) continue;
      Question question;
      questions_->read_stored(*number, &question);
      const auto vectors = vectors_of(question.time);
      for (std::size_t i = 0; i < vectors_.size(); ++i) {
        if (*number < vectors_[i]->begin()) continue;
        vectors_[i]->overwrite(*number, vectors[i].data());
      }
      if (*number >= first_question()) found.push_back(*number);
    }
    return found;
  }

  void answer(const std::string& answerer, std::size_t width, std::uint64_t first,
              std::span<const float> answers) override {
    ChunkSeries& series = ensure(kAnswers + answerer, width * sizeof(float), first);
    if (series.end() != first) {
      throw Error(ErrorKind::invalid, fmt::format("answers of \"{}\" end at question {}, not {}",
                                                  answerer, series.end(), first));
    }
    series.append(answers.data(), answers.size() / width);
  }

  std::pair<std::uint64_t, std::uint64_t> answered(const std::string& answerer) override {
    const auto found = series_.find(kAnswers + answerer);
    if (found == series_.end()) return {0, 0};
    return {std::max(found->second.begin(), found->second.kept()), found->second.end()};
  }

  void read_answers(const std::string& answerer, std::uint64_t begin, std::uint64_t end,
                    float* out) override {
    const auto found = series_.find(kAnswers + answerer);
    if (found == series_.end()) {
      throw Error(ErrorKind::not_found, fmt::format("no answers of \"{}\" are stored", answerer));
    }
    found->second.read(begin, end, out);
  }

  std::uint64_t rows() const override { return rows_->end(); }

  std::uint64_t add_row(const Row& row) override {
    rows_->append(&row, 1);
    return rows_->end() - 1;
  }

  Row row(std::uint64_t number) override {
    Row row;
    rows_->read(number, number + 1, &row);
    return row;
  }

  void read_row_vectors(std::size_t column, std::uint64_t begin, std::uint64_t end,
                        float* out) override {
    const std::size_t width = columns_.at(column).width;
    for (std::uint64_t number = begin; number < end; ++number, out += width) {
      const std::uint64_t question = row(number).question;
      vectors_[column]->read(question, question + 1, out);
    }
  }

  void flush() override {
    for (auto& [name, series] : series_) series.flush();
    file_.commit();
  }

  void sync() override { file_.sync(); }

  void cut(std::uint64_t questions, std::uint64_t rows) override {
    for (auto at = series_.begin(); at != series_.end();) {
      ChunkSeries& series = at->second;
      series.cut(&series == rows_ ? rows : questions);
      const bool gone = at->first.starts_with(kAnswers) && series.begin() >= questions;
      if (gone) file_.remove_series(series.id());
      at = gone ? series_.erase(at) : std::next(at);
    }
  }

  void drop(std::uint64_t question, std::uint64_t row) override {
    std::vector<ChunkFile::SeriesRecord> all;
    for (auto& [name, series] : series_) {
      all.push_back(series.keep_from(&series == rows_ ? row : question));
    }
    file_.drop(all);
  }
  std::uint64_t first_question() const override { return questions_->kept(); }
  std::uint64_t first_row() const override { return rows_->kept(); }

  std::string content_hash() override {
    Sha256 hash;
    for (auto& [name, series] : series_) {
      // Added, then the process died before anything was recorded that uses it.
      if (name.starts_with(kVectors) && series.end() < questions()) continue;
      hash.add(
          fmt::format("{} {} {} {}\n", name, series.record_bytes(), series.begin(), series.end()));
      series.each_checksum([&](const std::string& of) { hash.add(of); });
    }
    return hash.hex();
  }

  std::vector<std::string> verify() override { return file_.verify(); }

 private:
  ChunkSeries& adopt(const ChunkFile::SeriesRecord& record) {
    return series_
        .emplace(std::piecewise_construct, std::forward_as_tuple(record.name),
                 std::forward_as_tuple(file_, record, read_only_))
        .first->second;
  }

  ChunkSeries& ensure(const std::string& name, std::size_t record_bytes, std::uint64_t begin) {
    const auto found = series_.find(name);
    if (found == series_.end()) {
      const std::int64_t id = file_.add_series(name, record_bytes, begin);
      return adopt({id, name, record_bytes, begin, begin, 0});
    }
    if (found->second.record_bytes() != record_bytes) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("{}: series \"{}\" has records of {} bytes, expected {}", path_, name,
                              found->second.record_bytes(), record_bytes));
    }
    return found->second;
  }

  /// Among those that are still in the file.
  std::optional<std::uint64_t> stored_question(std::uint64_t position) {
    Question question;
    std::uint64_t low = questions_->stored_begin();
    std::uint64_t high = questions();
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      questions_->read_stored(middle, &question);
      if (question.position == position) return middle;
      (question.position < position ? low : high) =
          question.position < position ? middle + 1 : middle;
    }
    return std::nullopt;
  }

  // A column that was added by a process that died before anything was recorded that uses it.
  void remove_unused_columns() {
    std::erase_if(series_, [&](auto& item) {
      const auto used = std::find(vectors_.begin(), vectors_.end(), &item.second);
      const bool unused = item.first.starts_with(kVectors) && used == vectors_.end();
      if (unused) file_.remove_series(item.second.id());
      return unused;
    });
  }

  Question question_at(std::uint64_t number) {
    Question question;
    questions_->read(number, number + 1, &question);
    return question;
  }

  const std::string path_;
  const bool read_only_;
  ChunkFile file_;
  std::map<std::string, ChunkSeries> series_;  // by name
  std::vector<FeatureColumn> columns_;
  std::vector<ChunkSeries*> vectors_;
  ChunkSeries* questions_ = nullptr;
  ChunkSeries* rows_ = nullptr;
};

}  // namespace

std::size_t RowStore::column(const std::string& identity) const {
  const std::vector<FeatureColumn>& all = columns();
  const auto found = std::find_if(all.begin(), all.end(), [&](const FeatureColumn& column) {
    return column.identity == identity;
  });
  if (found == all.end()) {
    throw Error(ErrorKind::conflict,
                fmt::format("the vectors of feature set {} are not stored: this build computes "
                            "another feature set from the same config",
                            identity));
  }
  return static_cast<std::size_t>(found - all.begin());
}

std::unique_ptr<RowStore> RowStore::open(const std::string& path,
                                         std::vector<FeatureColumn> columns) {
  auto store = std::make_unique<SqliteRowStore>(path, false);
  store->set_columns(std::move(columns));
  return store;
}

void RowStore::copy(const std::string& from, const std::string& to, std::uint64_t questions,
                    std::uint64_t rows) {
  ChunkFile source(from, true);
  ChunkFile target(to, false);
  for (const ChunkFile::SeriesRecord& record : source.series()) {
    const std::uint64_t end = std::min(record.end, record.name == kRows ? rows : questions);
    if (record.name.starts_with(kAnswers) && record.begin >= end) continue;
    ChunkFile::SeriesRecord whole = record;
    whole.kept = 0;
    ChunkSeries in(source, whole, true);
    ChunkFile::SeriesRecord copied = record;
    copied.id = target.add_series(record.name, record.record_bytes, record.begin);
    copied.end = std::max(record.begin, record.kept / kChunk * kChunk);
    std::vector<ChunkFile::DroppedChunk> dropped;
    for (std::uint64_t at = record.begin; at < copied.end; at = (at / kChunk + 1) * kChunk) {
      dropped.push_back({at / kChunk, (at / kChunk + 1) * kChunk - at,
                         source.checksum_of(record.id, record.name, at / kChunk)});
    }
    target.put_dropped(copied.id, dropped);
    target.drop({copied});
    ChunkSeries out(target, copied, false);
    std::string bytes;
    for (std::uint64_t at = copied.end; at < end;) {
      const std::uint64_t next = std::min(end, (at / kChunk + 1) * kChunk);
      bytes.resize((next - at) * record.record_bytes);
      in.read(at, next, bytes.data());
      out.append(bytes.data(), next - at);
      at = next;
    }
    out.flush();
  }
  target.commit();
  target.sync();
}

std::unique_ptr<RowStore> RowStore::open_reader(const std::string& path) {
  auto store = std::make_unique<SqliteRowStore>(path, true);
  store->find_columns();
  return store;
}

}  // namespace freshet
