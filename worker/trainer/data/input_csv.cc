#include "worker/trainer/data/input_csv.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "worker/trainer/data/csv.h"
#include "worker/trainer/data/picture_path.h"

namespace vlm::data {
namespace {

constexpr absl::string_view kWanted =
    "expected \"b64string_images,caption\" or \"image_path,caption\" in the first line";

class CsvInput : public InputReader {
 public:
  explicit CsvInput(std::unique_ptr<RawText> text)
      : text_(std::move(text)),
        csv_([this](char* out, size_t size) { return text_->Read(out, size); }) {}

  absl::Status ReadHeader() {
    CsvRecord header;
    ASSIGN_OR_RETURN(const bool any, csv_.Next(&header));
    if (!any) return Bad(absl::StrCat("the file is empty; ", kWanted));
    if (!header.error.ok()) {
      return Bad(absl::StrCat("the header ", header.error.message(), "; ", kWanted));
    }
    columns_ = header.fields.size();
    const auto find = [&](absl::string_view name) {
      const auto at =
          std::find_if(header.fields.begin(), header.fields.end(),
                       [&](const std::string& f) { return absl::StripAsciiWhitespace(f) == name; });
      return at == header.fields.end() ? -1 : static_cast<int>(at - header.fields.begin());
    };
    caption_ = find("caption");
    picture_ = find("b64string_images");
    base64_ = picture_ >= 0;
    if (!base64_) picture_ = find("image_path");
    if (caption_ >= 0 && picture_ >= 0) return absl::OkStatus();
    const std::string shown = absl::StrJoin(header.fields, ",").substr(0, 100);
    return Bad(absl::StrCat("the header is \"", absl::CHexEscape(shown), "\"; ", kWanted));
  }

  absl::StatusOr<bool> Next(InputRow* row) override {
    CsvRecord record;
    ASSIGN_OR_RETURN(const bool any, csv_.Next(&record));
    if (!any) return false;
    *row = InputRow{};
    row->number = ++number_;
    row->line = record.line;
    row->error = record.error;
    if (row->error.ok()) row->error = Fill(&record, row);
    return true;
  }

  const FileIdentity& identity() const override { return text_->identity(); }
  absl::StatusOr<std::vector<char32_t>> FileCharacters() const override {
    return text_->Characters();
  }

 private:
  absl::Status Bad(const std::string& message) const {
    return absl::InvalidArgumentError(absl::StrCat(text_->path(), ": ", message));
  }

  absl::Status Fill(CsvRecord* record, InputRow* row) const {
    if (record->fields.size() != columns_) {
      return absl::InvalidArgumentError(absl::StrCat("has ", record->fields.size(),
                                                     " columns, the header has ", columns_,
                                                     "; put a caption with a comma in quotes"));
    }
    row->caption = std::move(record->fields[static_cast<size_t>(caption_)]);
    std::string& picture = record->fields[static_cast<size_t>(picture_)];
    if (base64_) {
      row->base64 = std::move(picture);
      return absl::OkStatus();
    }
    auto path = ResolvePicture(file(), picture);
    if (!path.ok()) return Annotate(path.status(), "column image_path");
    row->path = *std::move(path);
    return absl::OkStatus();
  }

  const std::unique_ptr<RawText> text_;
  CsvReader csv_;
  int64_t number_ = 0;
  size_t columns_ = 0;
  int caption_ = -1;
  int picture_ = -1;
  bool base64_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<InputReader>> OpenCsv(std::unique_ptr<RawText> text) {
  auto input = std::make_unique<CsvInput>(std::move(text));
  RETURN_IF_ERROR(input->ReadHeader());
  return input;
}

}  // namespace vlm::data
