// A screenshot as a small PNG: 256 colours at most instead of 24 bits a pixel.

import { deflateSync, inflateSync } from 'node:zlib';

/// Chunks of a PNG: [type, data].
function* chunks(png) {
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    yield [png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, at + 8 + length)];
    at += 12 + length;
  }
}

function paeth(a, b, c) {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/// The bytes of the pixels, without the filters of the lines.
function unfiltered(raw, width, height, size) {
  const line = width * size;
  const out = Buffer.alloc(line * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (line + 1)];
    for (let x = 0; x < line; x += 1) {
      const left = x >= size ? out[y * line + x - size] : 0;
      const up = y > 0 ? out[(y - 1) * line + x] : 0;
      const corner = x >= size && y > 0 ? out[(y - 1) * line + x - size] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      out[y * line + x] = raw[y * (line + 1) + 1 + x] + guess;
    }
  }
  return out;
}

/// The most frequent colours, and for each colour the index of its nearest among them.
function palette(counts) {
  const kept = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([c]) => c);
  const rgb = (c) => [c >> 16, (c >> 8) & 255, c & 255];
  const far = (a, b) => rgb(a).reduce((sum, v, i) => sum + (v - rgb(b)[i]) ** 2, 0);
  const nearest = (c) => kept.reduce((best, k, i) => far(c, k) < far(c, kept[best]) ? i : best, 0);
  return { bytes: Buffer.from(kept.flatMap(rgb)), index: new Map([...counts.keys()]
    .map((c) => [c, nearest(c)])) };
}

// zlib.crc32 is younger than the oldest node that is taken.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function chunk(type, data) {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

export function withPalette(png) {
  const all = [...chunks(png)];
  const header = Buffer.from(all[0][1]);
  const [width, height, type] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9]];
  const size = { 2: 3, 6: 4 }[type];
  if (header[8] !== 8 || !size) throw new Error('no PNG of 8 bits a colour');
  const data = Buffer.concat(all.filter(([name]) => name === 'IDAT').map(([, bytes]) => bytes));
  const pixels = unfiltered(inflateSync(data), width, height, size);
  const colour = (i) => pixels.readUIntBE(i * size, 3);
  const counts = new Map();
  for (let i = 0; i < width * height; i += 1) {
    counts.set(colour(i), (counts.get(colour(i)) ?? 0) + 1);
  }
  const { bytes, index } = palette(counts);
  const lines = Buffer.alloc((width + 1) * height);
  for (let i = 0; i < width * height; i += 1) {
    lines[Math.floor(i / width) * (width + 1) + 1 + i % width] = index.get(colour(i));
  }
  header[9] = 3;
  return Buffer.concat([png.subarray(0, 8), chunk('IHDR', header), chunk('PLTE', bytes),
    chunk('IDAT', deflateSync(lines, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}
