@file:Suppress("UNUSED_PARAMETER")

package org.json

class JSONArray {
    fun getInt(index: Int): Int = TODO()

    fun getString(index: Int): String = TODO()
}

class JSONObject(text: String) {
    fun getString(name: String): String = TODO()

    fun getJSONObject(name: String): JSONObject = TODO()

    fun getJSONArray(name: String): JSONArray = TODO()

    fun keys(): Iterator<String> = TODO()
}
