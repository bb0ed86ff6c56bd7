#include "server/storage/blocks.h"

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace vlm::storage {
namespace {

constexpr uint32_t kLargestBlock = 256u << 20;

}  // namespace

std::string Pack(const google::protobuf::MessageLite& message) {
  const std::string raw = message.SerializeAsString();
  uLongf size = compressBound(raw.size());
  std::string out(sizeof(uint32_t) + size, '\0');
  const auto raw_size = static_cast<uint32_t>(raw.size());
  std::memcpy(out.data(), &raw_size, sizeof(raw_size));
  if (compress2(reinterpret_cast<Bytef*>(out.data() + sizeof(uint32_t)), &size,
                reinterpret_cast<const Bytef*>(raw.data()), raw.size(), 1) != Z_OK) {
    throw std::runtime_error("zlib could not compress a block");
  }
  out.resize(sizeof(uint32_t) + size);
  return out;
}

void Unpack(const std::string& block, google::protobuf::MessageLite* message) {
  uint32_t raw_size = 0;
  if (block.size() < sizeof(raw_size)) throw std::runtime_error("a block is too short");
  std::memcpy(&raw_size, block.data(), sizeof(raw_size));
  if (raw_size > kLargestBlock) throw std::runtime_error("a block's size is out of range");
  std::string raw(raw_size, '\0');
  uLongf size = raw_size;
  if (uncompress(reinterpret_cast<Bytef*>(raw.data()), &size,
                 reinterpret_cast<const Bytef*>(block.data() + sizeof(raw_size)),
                 block.size() - sizeof(raw_size)) != Z_OK ||
      size != raw_size || !message->ParseFromString(raw)) {
    throw std::runtime_error("a block is damaged");
  }
}

}  // namespace vlm::storage
