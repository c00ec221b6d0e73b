@file:Suppress("UNUSED_PARAMETER")

package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

class TensorBuffer : AutoCloseable {
    fun writeInt8(data: ByteArray): Unit = TODO()

    fun readFloat(): FloatArray = TODO()

    override fun close(): Unit = TODO()
}

class CompiledModel : AutoCloseable {
    class Options(vararg accelerators: Accelerator)

    fun createInputBuffers(signature: String): List<TensorBuffer> = TODO()

    fun createOutputBuffers(signature: String): List<TensorBuffer> = TODO()

    fun run(
        inputs: List<TensorBuffer>, outputs: List<TensorBuffer>,
        signature: String
    ): Unit = TODO()

    override fun close(): Unit = TODO()

    companion object {
        @JvmStatic
        fun create(
            assets: AssetManager, name: String, options: Options
        ): CompiledModel = TODO()
    }
}
