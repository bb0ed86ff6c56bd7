#include "worker/trainer/tensor_file/torch_tensors.h"

#include <ATen/ATen.h>

#include <cstring>
#include <optional>

#include "common/status.h"
#include "worker/trainer/tensor_file/safetensors.h"

namespace vlm::trainer {
namespace {

struct Pair {
  DType file;
  at::ScalarType torch;
};
constexpr Pair kPairs[] = {{DType::kF64, at::kDouble}, {DType::kF32, at::kFloat},
                           {DType::kF16, at::kHalf},   {DType::kBF16, at::kBFloat16},
                           {DType::kI64, at::kLong},   {DType::kI32, at::kInt},
                           {DType::kI16, at::kShort},  {DType::kI8, at::kChar},
                           {DType::kU8, at::kByte},    {DType::kBool, at::kBool}};

at::ScalarType ToTorch(DType dtype) {
  for (const Pair& pair : kPairs) {
    if (pair.file == dtype) return pair.torch;
  }
  return at::kByte;  // Not reached: every DType has a row.
}

std::optional<DType> ToFile(at::ScalarType dtype) {
  for (const Pair& pair : kPairs) {
    if (pair.torch == dtype) return pair.file;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<TensorFile> ReadTensorFile(const std::string& path) {
  ASSIGN_OR_RETURN(auto reader, SafetensorsReader::Open(path));
  TensorFile file;
  file.metadata = reader->metadata();
  for (const TensorInfo& info : reader->tensors()) {
    const absl::string_view data = reader->Data(info);
    try {
      at::Tensor tensor = at::empty(info.shape, ToTorch(info.dtype));
      if (!data.empty()) std::memcpy(tensor.mutable_data_ptr(), data.data(), data.size());
      file.tensors.emplace_back(info.name, std::move(tensor));
    } catch (const c10::Error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, ": tensor '", info.name, "': ", error.what_without_backtrace()));
    }
  }
  return file;
}

absl::Status WriteTensorFile(const std::string& path, const NamedTensors& tensors,
                             const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter writer;
  for (const auto& [key, value] : metadata) writer.SetMetadata(key, value);
  std::vector<at::Tensor> alive;  // The writer borrows their bytes.
  try {
    for (const auto& [name, tensor] : tensors) {
      const auto dtype = ToFile(tensor.scalar_type());
      if (!dtype) {
        return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "': safetensors has no ",
                                                       c10::toString(tensor.scalar_type())));
      }
      alive.push_back(tensor.detach().cpu().contiguous());
      const at::Tensor& ready = alive.back();
      RETURN_IF_ERROR(writer.Add(
          name, *dtype, ready.sizes().vec(),
          absl::string_view(static_cast<const char*>(ready.const_data_ptr()), ready.nbytes())));
    }
  } catch (const c10::Error& error) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": ", error.what_without_backtrace()));
  }
  return writer.Write(path);
}

}  // namespace vlm::trainer
