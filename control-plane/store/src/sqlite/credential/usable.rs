//! The condition under which a sensor can open what a registry is read with.

/// A condition on a row of `registry_sensor`: the registry has no sealed credential, or one that is bound to where the registry is and that
/// was sealed to a key of the sensor's present generation. Has no parameters.
macro_rules! can_open {
    () => {
        "(NOT EXISTS (SELECT 1 FROM credential WHERE credential.tenant_id = registry_sensor.tenant_id
                         AND credential.registry_id = registry_sensor.registry_id AND credential.state = 'current')
          OR EXISTS (SELECT 1 FROM credential
                     JOIN registry AS bound ON bound.tenant_id = credential.tenant_id AND bound.registry_id = credential.registry_id
                     JOIN credential_wrap AS wrap ON wrap.tenant_id = credential.tenant_id
                         AND wrap.credential_id = credential.credential_id AND wrap.version = credential.version
                     JOIN sealing_key ON sealing_key.tenant_id = wrap.tenant_id AND sealing_key.sensor_id = wrap.sensor_id
                         AND sealing_key.key_id = wrap.key_id
                     JOIN sensor AS holder ON holder.tenant_id = wrap.tenant_id AND holder.sensor_id = wrap.sensor_id
                     WHERE credential.tenant_id = registry_sensor.tenant_id AND credential.registry_id = registry_sensor.registry_id
                       AND credential.state = 'current' AND wrap.sensor_id = registry_sensor.sensor_id
                       AND sealing_key.generation = holder.generation
                       AND (bound.url = credential.origin
                            OR substr(bound.url, 1, length(credential.origin) + 1) = credential.origin || '/')))"
    };
}
pub(in super::super) use can_open;
