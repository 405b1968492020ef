// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Writes frames as Apache Kafka's own generated classes write them: for each
 * message and each valid version three, one with as little as possible in it,
 * one with everything, one by chance. The content hangs on nothing but the
 * message's name, the version and the frame's number.
 *
 * <p>java -cp 'JARS/*' Golden.java JARS OUTPUT
 *
 * <p>A frame in OUTPUT: the name's length (1 byte), name, version (2 bytes),
 * length (4 bytes), bytes. Numbers are big-endian.
 */
public final class Golden {
    private static final int LITTLE = 0;
    private static final int FULL = 1;
    private static final int FRAMES = 3;

    /** A definition and the class that was generated from it. */
    private static final class Entry {
        JsonNode definition;
        Class<?> type;
    }

    private final Class<?> type;
    private final Map<String, JsonNode> shared = new HashMap<>();
    private final int version;
    private final int frame;
    private final Random random;

    private Golden(Entry entry, int version, int frame) {
        this.type = entry.type;
        this.version = version;
        this.frame = frame;
        String name = entry.definition.get("name").asText();
        this.random = new Random((name.hashCode() * 31L + version) * 31 + frame);
        for (JsonNode struct : entry.definition.path("commonStructs")) {
            shared.put(struct.get("name").asText(), struct.get("fields"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Entry> entries = new TreeMap<>();
        File[] jars = new File(arguments[0]).listFiles(
            (directory, name) -> name.matches("kafka-[a-z-]+-[0-9.]+\\.jar"));
        Arrays.sort(jars);
        for (File jar : jars) {
            load(jar, entries);
        }
        try (DataOutputStream out = new DataOutputStream(
                new BufferedOutputStream(new FileOutputStream(arguments[1])))) {
            for (Map.Entry<String, Entry> entry : entries.entrySet()) {
                write(entry.getKey(), entry.getValue(), out);
            }
        }
    }

    private static void load(File jar, Map<String, Entry> entries) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        mapper.configure(JsonParser.Feature.ALLOW_COMMENTS, true);
        try (ZipFile zip = new ZipFile(jar)) {
            Map<String, String> classes = new HashMap<>();
            for (ZipEntry file : java.util.Collections.list(zip.entries())) {
                String path = file.getName();
                if (path.endsWith(".class") && path.matches(".*/(message|metadata|generated)/[^/$]*")) {
                    String name = path.substring(0, path.length() - 6).replace('/', '.');
                    classes.put(name.substring(name.lastIndexOf('.') + 1), name);
                }
            }
            for (ZipEntry file : java.util.Collections.list(zip.entries())) {
                if (!file.getName().matches("(common/)?(message|metadata)/.*\\.json")) {
                    continue;
                }
                Entry entry = new Entry();
                entry.definition = mapper.readTree(zip.getInputStream(file));
                String name = entry.definition.get("name").asText();
                String data = classes.getOrDefault(name + "Data", classes.get(name));
                if (entry.definition.get("validVersions").asText().equals("none")
                        || name.startsWith("Remote") && jar.getName().startsWith("kafka-storage")) {
                    continue;
                }
                entry.type = Class.forName(data);
                entries.put(name, entry);
            }
        }
    }

    private static void write(String name, Entry entry, DataOutputStream out) throws Exception {
        int[] valid = range(entry.definition.get("validVersions").asText());
        for (int version = valid[0]; version <= valid[1]; version++) {
            for (int frame = 0; frame < FRAMES; frame++) {
                Golden golden = new Golden(entry, version, frame);
                Message message = (Message) golden.struct(entry.type, entry.definition.get("fields"), 0);
                writeFrame(name, (short) version, message, out);
            }
        }
    }

    private static void writeFrame(String name, short version, Message message, DataOutputStream out)
            throws IOException {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) {
            throw new IllegalStateException(name + ": size and bytes differ");
        }
        byte[] text = name.getBytes(StandardCharsets.US_ASCII);
        out.writeByte(text.length);
        out.write(text);
        out.writeShort(version);
        out.writeInt(buffer.capacity());
        out.write(buffer.array());
    }

    /** "3-5", "3+", "3" or "none" as the first and the last version. */
    private static int[] range(String text) {
        if (text.equals("none")) {
            return new int[] {0, -1};
        }
        if (text.endsWith("+")) {
            return new int[] {Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE};
        }
        String[] ends = text.split("-");
        return new int[] {Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1])};
    }

    private boolean has(JsonNode field, String key, String otherwise) {
        int[] versions = range(field.path(key).asText(otherwise));
        return version >= versions[0] && version <= versions[1];
    }

    private Object struct(Class<?> structType, JsonNode fields, int depth) throws Exception {
        Constructor<?> constructor = structType.getDeclaredConstructor();
        constructor.setAccessible(true);
        Object struct = constructor.newInstance();
        for (JsonNode field : fields) {
            if (!has(field, "versions", field.path("taggedVersions").asText("none"))) {
                continue;
            }
            String name = field.get("name").asText();
            Field member = structType.getDeclaredField(
                Character.toLowerCase(name.charAt(0)) + name.substring(1));
            member.setAccessible(true);
            boolean tagged = field.has("tag");
            if (tagged && (frame == LITTLE || frame != FULL && random.nextBoolean())) {
                continue;
            }
            member.set(struct, value(field, member.getType(), depth));
        }
        return struct;
    }

    private Object value(JsonNode field, Class<?> memberType, int depth) throws Exception {
        boolean nullable = has(field, "nullableVersions", "none");
        if (nullable && (frame == LITTLE || frame != FULL && random.nextInt(3) == 0)) {
            return null;
        }
        String typeName = field.get("type").asText();
        if (!typeName.startsWith("[]")) {
            return one(field, typeName, memberType, depth);
        }
        String element = typeName.substring(2);
        @SuppressWarnings("unchecked")
        Collection<Object> all = memberType.isInterface()
            ? new ArrayList<>()
            : (Collection<Object>) memberType.getDeclaredConstructor().newInstance();
        int count = frame == LITTLE ? 0 : frame == FULL ? 1 + random.nextInt(2) : random.nextInt(3);
        if (element.startsWith("int") && random.nextInt(20) == 0) {
            count = 130;
        }
        for (int i = 0; i < count; i++) {
            all.add(one(field, element, null, depth + 1));
        }
        return all;
    }

    private Object one(JsonNode field, String typeName, Class<?> memberType, int depth) throws Exception {
        switch (typeName) {
            case "bool":
                return random.nextBoolean();
            case "int8":
                return (byte) random.nextInt();
            case "int16":
                return (short) random.nextInt();
            case "uint16":
                return random.nextInt() & 0xffff;
            case "int32":
                return random.nextInt();
            case "uint32":
                return random.nextInt() & 0xffffffffL;
            case "int64":
                return random.nextLong();
            case "float64":
                return random.nextDouble() * 1e6;
            case "uuid":
                return new Uuid(random.nextLong(), random.nextLong());
            case "string":
                return text();
            case "bytes":
                return memberType == ByteBuffer.class ? ByteBuffer.wrap(bytes()) : bytes();
            case "records":
                return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
            default:
                Class<?> inner = Class.forName(type.getName() + "$" + typeName);
                JsonNode fields = field.has("fields") ? field.get("fields") : shared.get(typeName);
                return struct(inner, fields, depth);
        }
    }

    private String text() {
        int length = frame == LITTLE ? 0 : random.nextInt(24) == 0 ? 130 : random.nextInt(9);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append(random.nextInt(16) == 0 ? '\u00e9' : (char) ('a' + random.nextInt(26)));
        }
        return text.toString();
    }

    private byte[] bytes() {
        byte[] bytes = new byte[frame == LITTLE ? 0 : random.nextInt(12) == 0 ? 200 : random.nextInt(12)];
        random.nextBytes(bytes);
        return bytes;
    }
}
