// Antialiased bilinear shrinking, bit for bit as training did it (Pillow's
// Resample.c).

private let bits = 22  // of the fixed-point weights

private struct Weights {
    var first: [Int] = []
    var values: [[Int]] = []

    init(before: Int, after: Int, start: Int, number: Int) {
        let scale = Double(before) / Double(after)
        let support = max(scale, 1)
        for n in start..<(start + number) {
            let middle = (Double(n) + 0.5) * scale
            let low = max(Int(middle - support + 0.5), 0)
            let high = min(Int(middle + support + 0.5), before)
            let exact = (low..<high).map {
                max(1 - abs((Double($0) - middle + 0.5) / support), 0)
            }
            let sum = exact.reduce(0, +)
            first.append(low)
            values.append(exact.map { Int(0.5 + $0 / sum * Double(1 << bits)) })
        }
    }

    func sum(_ n: Int, _ pixel: (Int) -> UInt8) -> UInt8 {
        var sum = 1 << (bits - 1)
        for (i, value) in values[n].enumerated() {
            sum += Int(pixel(i)) * value
        }
        return UInt8(min(sum >> bits, 255))
    }
}

/// The centre of an upright picture at the size of the network.
///
/// `rgba` are its pixels, row by row; the fourth byte is not looked at. The
/// result is RGB in 0..255, row by row: the network normalises.
func centre(
    _ rgba: [UInt8], width: Int, height: Int, toWidth: Int, toHeight: Int
) -> [UInt8] {
    // It is scaled until it just covers the network's input, and cut.
    var whole = (width: toWidth, height: toHeight)
    if toWidth * height >= toHeight * width {
        whole.height = Int(Double(toWidth * height) / Double(width))
    } else {
        whole.width = Int(Double(toHeight * width) / Double(height))
    }
    let columns = Weights(
        before: width, after: whole.width,
        start: (whole.width - toWidth) / 2, number: toWidth)
    let rows = Weights(
        before: height, after: whole.height,
        start: (whole.height - toHeight) / 2, number: toHeight)
    let low = rows.first[0]
    let high = rows.first[toHeight - 1] + rows.values[toHeight - 1].count
    let stride = toWidth * 3
    var narrow = [UInt8](repeating: 0, count: (high - low) * stride)
    for y in low..<high {
        for x in 0..<toWidth {
            let at = 4 * (y * width + columns.first[x])
            for c in 0..<3 {
                narrow[(y - low) * stride + x * 3 + c] =
                    columns.sum(x) { rgba[at + 4 * $0 + c] }
            }
        }
    }
    return (0..<(toHeight * stride)).map { at in
        let y = at / stride
        let above = (rows.first[y] - low) * stride + at % stride
        return rows.sum(y) { narrow[above + $0 * stride] }
    }
}
