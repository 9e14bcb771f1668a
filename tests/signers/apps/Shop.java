// A shop with sessions, whose sign-in believes everybody, around data/signers/java: Shop PORT FOLDER
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

public class Shop {
    /** The body is two lines: the email, and true or false. */
    public static class SignIn extends HttpServlet {
        @Override
        protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
            String[] lines = new String(request.getInputStream().readAllBytes(), StandardCharsets.UTF_8).split("\n");
            request.getSession(true).setAttribute("email", lines[0]);
            request.getSession().setAttribute("email_verified", Boolean.valueOf(lines[1]));
        }
    }

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[1]);
        tomcat.setPort(Integer.parseInt(args[0]));
        tomcat.getConnector().setProperty("address", InetAddress.getByName("127.0.0.1").getHostAddress());
        Context context = tomcat.addContext("", args[1]);
        Tomcat.addServlet(context, "sign-in", new SignIn());
        context.addServletMappingDecoded("/sign-in", "sign-in");
        Tomcat.addServlet(context, "chat-token", new ChatToken()).setLoadOnStartup(1);
        context.addServletMappingDecoded("/chat-token", "chat-token");
        tomcat.start();
        tomcat.getServer().await();
    }
}
